// The running program as POSIX systems show it: terminal, own path, signals.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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

/// Pointers to C strings, as exec and spawn want them, with a null at the end.
std::vector<char*> pointers_to(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void fail_to_start(const std::string& path, int error) {
  fail(ErrorCode::kIo, "program",
       "cannot start '" + path + "': " + std::generic_category().message(error));
}

/// A pipe whose ends close themselves.
struct Pipe {
  std::array<int, 2> ends = {-1, -1};  // read, write
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      fail(ErrorCode::kIo, "program",
           "cannot make a pipe: " + std::generic_category().message(errno));
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

/// Starts a process group of its own: to end it ends all that it started.
pid_t spawn(const std::vector<std::string>& arguments, const Pipe& output, const Pipe& errors) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors.ends[1], STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, arguments[0].c_str(), &actions, &attributes,
                                   pointers_to(arguments).data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) fail_to_start(arguments[0], error);
  return child;
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
  ::execv(path.c_str(), pointers_to(arguments).data());
  fail_to_start(path, errno);
}

ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::function<bool()>& cancelled) {
  Pipe output, errors;
  const pid_t child = spawn(arguments, output, errors);
  output.close_end(1);
  errors.close_end(1);
  ProcessResult result;
  const std::array<std::pair<Pipe*, std::string*>, 2> streams = {
      {{&output, &result.output}, {&errors, &result.errors}}};
  bool stopped = false;
  while (output.ends[0] >= 0 || errors.ends[0] >= 0) {
    if (!stopped && cancelled && cancelled()) {
      stopped = true;
      ::kill(-child, SIGKILL);
    }
    // A closed end is -1, which poll leaves alone.
    std::array<pollfd, 2> waiting = {{{output.ends[0], POLLIN, 0}, {errors.ends[0], POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), 100) < 0 && errno != EINTR) break;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents == 0) continue;
      std::array<char, 4096> buffer;
      const ssize_t count = ::read(waiting[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        streams[i].second->append(buffer.data(), static_cast<std::size_t>(count));
      } else if (count == 0 || errno != EINTR) {
        streams[i].first->close_end(0);
      }
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (stopped)
    fail(ErrorCode::kCancelled, "program", "interrupted while '" + arguments[0] + "' ran");
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
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
