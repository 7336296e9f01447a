# rbee_layer(NAME LINK targets... PRIVATE_LINK targets...): one folder of src/ is one static library and
# one unit-test binary that links only that layer, so that an include the layer may not have fails to
# link as well as failing tools/check_layers.py. Files named *_linux.cpp and *_macos.cpp are the only
# platform switch. main.cpp is left to the program.
if(APPLE)
  set(RBEE_OTHER_OS linux)
else()
  set(RBEE_OTHER_OS macos)
endif()

function(rbee_layer name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE_LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS src/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "_${RBEE_OTHER_OS}(_test)?\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  if(NOT sources)  # TEMPORARY while layers are being written
    file(WRITE ${CMAKE_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_BINARY_DIR}/empty.cpp)
  endif()
  add_library(rbee_${name} STATIC ${sources})
  add_library(rbee::${name} ALIAS rbee_${name})
  target_include_directories(rbee_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_compile_options(rbee_${name} PRIVATE ${RBEE_WARNINGS})
  target_link_libraries(rbee_${name} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  if(tests)
    add_executable(${name}_test ${tests})
    target_compile_options(${name}_test PRIVATE ${RBEE_WARNINGS} ${RBEE_TEST_OPTIONS})
    target_link_libraries(${name}_test PRIVATE rbee::${name} GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()
