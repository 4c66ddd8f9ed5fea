# Compile options that every target of ours shares. No -march, no fast-math: dispatch and -inf masks
# depend on it.
# g++ 12 warns falsely of overlap in "literal" + std::string at -O3.
set(hopfield_false_warnings $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
add_library(hopfield_options INTERFACE)
target_compile_options(hopfield_options INTERFACE -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow
                       -ffp-contract=off ${hopfield_false_warnings})
if(HOPFIELD_WERROR)
  target_compile_options(hopfield_options INTERFACE -Werror)
endif()
if(HOPFIELD_SANITIZE)
  target_compile_options(hopfield_options INTERFACE -fsanitize=${HOPFIELD_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hopfield_options INTERFACE -fsanitize=${HOPFIELD_SANITIZE})
endif()

# Torch's headers cannot pass -Wconversion where they are instantiated in our files.
add_library(hopfield_torch_options INTERFACE)
target_compile_options(hopfield_torch_options INTERFACE -Wall -Wextra -Wshadow -Wno-unused-parameter
                       ${hopfield_false_warnings})
# The LibTorch wheel is built with NDEBUG, and some of its classes have more members without.
target_compile_definitions(hopfield_torch_options INTERFACE NDEBUG)
if(HOPFIELD_WERROR)
  target_compile_options(hopfield_torch_options INTERFACE -Werror)
endif()
if(HOPFIELD_SANITIZE)
  # -O0 halves the time of compiling; the work of these files is done in LibTorch and in the core.
  target_compile_options(hopfield_torch_options INTERFACE -fsanitize=${HOPFIELD_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all -O0)
  target_link_options(hopfield_torch_options INTERFACE -fsanitize=${HOPFIELD_SANITIZE})
endif()

# Under sanitizers, several sources of a target are compiled as one: parsing and instantiating
# LibTorch's headers takes most of the time of each. The release build compiles every source alone, so
# that a missing include is found. Sources whose local names clash with others' opt out by
# SKIP_UNITY_BUILD_INCLUSION.
function(hopfield_join_sources target)
  if(HOPFIELD_SANITIZE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  endif()
endfunction()

# hopfield_add_test(NAME name SOURCES a.cc ... LIBS t ... [TORCH] [LABELS fast ...] [TIMEOUT s])
# One GoogleTest executable, one ctest entry.
function(hopfield_add_test)
  cmake_parse_arguments(arg "TORCH" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LIBS} GTest::gtest GTest::gtest_main)
  if(arg_TORCH)
    target_link_libraries(${arg_NAME} PRIVATE hopfield_torch_options)
    if(NOT TARGET hopfield_torch_test_pch)
      file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/torch_test_pch.cc CONTENT "int main() {}\n")
      add_executable(hopfield_torch_test_pch EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/torch_test_pch.cc)
      target_link_libraries(hopfield_torch_test_pch PRIVATE ${arg_LIBS} GTest::gtest
                            hopfield_torch_options)
      target_precompile_headers(hopfield_torch_test_pch PRIVATE ${PROJECT_SOURCE_DIR}/src/torch/pch.h)
    endif()
    target_precompile_headers(${arg_NAME} REUSE_FROM hopfield_torch_test_pch)
    hopfield_join_sources(${arg_NAME})
  else()
    target_link_libraries(${arg_NAME} PRIVATE hopfield_options)
  endif()
  target_include_directories(${arg_NAME} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR})
  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS fast)
  endif()
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
