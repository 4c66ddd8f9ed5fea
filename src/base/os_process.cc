// The running program as POSIX systems show it: terminal, own path, signals.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "hopfield/base/error.h"
#include "hopfield/base/os.h"

namespace hopfield {
namespace {

volatile sig_atomic_t g_interrupted = 0;

extern "C" void hopfield_note_interrupt(int) {
  g_interrupted = 1;
}

}  // namespace

bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}
bool stderr_is_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

std::string executable_path() {
  char* real = ::realpath("/proc/self/exe", nullptr);
  if (real == nullptr) return "";
  std::string result = real;
  std::free(real);
  return result;
}

bool is_executable(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

void replace_process(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  ::execv(path.c_str(), pointers.data());
  fail(ErrorCode::kIo, "program",
       "cannot start '" + path + "': " + std::generic_category().message(errno));
}

void install_interrupt_flag() {
  struct sigaction action = {};
  action.sa_handler = hopfield_note_interrupt;
  sigemptyset(&action.sa_mask);
  // One-shot: whoever presses twice means it.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigemptyset(&ignore.sa_mask);
  ::sigaction(SIGXFSZ, &ignore, nullptr);
}

bool interrupted() {
  return g_interrupted != 0;
}

}  // namespace hopfield
