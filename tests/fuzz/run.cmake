# cmake -DPROGRAM=fuzz_npz -DSEEDS=corpus/npz -DFOLDER=run_npz -P run.cmake: the same inputs every time, from a fresh folder, so that what an earlier run
# found does not change this one. An input that fails stays in FOLDER.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER}/corpus)
# An input of 4 kB that takes a second, 64 MiB at once or 1 GiB in all is a failure of its own: a lying header that was believed.
execute_process(
  COMMAND ${PROGRAM} -runs=20000 -seed=1 -max_len=4096 -timeout=10 -malloc_limit_mb=64 -rss_limit_mb=1024 -artifact_prefix=${FOLDER}/ ${FOLDER}/corpus ${SEEDS}
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} failed: ${status}")
endif()
