# Damages copies of golden cases and expects parity_hflayers to say so.
file(REMOVE_RECURSE "${FOLDER}")
function(expect_failure name command pattern)
  file(MAKE_DIRECTORY "${FOLDER}/${name}")
  execute_process(COMMAND sh -c "${command}" OUTPUT_FILE "${FOLDER}/${name}/case.safetensors"
                  RESULT_VARIABLE made)
  execute_process(COMMAND "${PROGRAM}" "${FOLDER}/${name}" OUTPUT_VARIABLE said RESULT_VARIABLE status)
  if(NOT made EQUAL 0 OR status EQUAL 0 OR NOT said MATCHES "${pattern}" OR NOT said MATCHES "0 passed, 1 failed")
    message(FATAL_ERROR "${name}: expected a failure with '${pattern}', got status ${status}: ${said}")
  endif()
endfunction()
set(case "${GOLDEN}/p01_hopfield_default_self.safetensors")
expect_failure(truncated "head -c 2000 '${case}'" "FAIL case: ")
expect_failure(empty ":" "FAIL case: ")
# The last tensor's last number becomes 0.
expect_failure(changed "head -c -8 '${case}'; head -c 8 /dev/zero" "largest difference")
expect_failure(unknown "sed 's/\"Hopfield/\"Hopfeild/' '${case}'" "class of the reference")
