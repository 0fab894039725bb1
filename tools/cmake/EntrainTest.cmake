# entrain_test(unit_core SOURCES a_test.cpp USES core) makes one GoogleTest program and registers its tests with CTest under that prefix.
# `entrain` and `entrain-worker` are built before it if NEEDS_PROGRAMS is given; their folder is the definition ENTRAIN_BINARY_DIR.
find_package(GTest REQUIRED)
include(GoogleTest)

function(entrain_test name)
  cmake_parse_arguments(arg "NEEDS_PROGRAMS" "TIMEOUT" "SOURCES;USES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE GTest::gmock GTest::gtest_main entrain_flags)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O1)  # tests are built once and run once: compiling costs more than running
  endif()
  entrain_link(${name} PRIVATE ${arg_USES})
  target_compile_definitions(${name} PRIVATE ENTRAIN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ENTRAIN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)  # not tests/: a program may have the name of its folder
  if(arg_NEEDS_PROGRAMS)
    add_dependencies(${name} entrain entrain-worker)
  endif()
  # Calibrations of the tests are kept in the build folder: the user's cache neither hides nor feels a change.
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "ENTRAIN_CACHE=${CMAKE_BINARY_DIR}/cache")
endfunction()
