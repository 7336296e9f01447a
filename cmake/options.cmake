# Compiler settings that every target of ours shares.
set(RBEE_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror)
# A test's own code is run once: optimising it costs a build more time than a run gains.
set(RBEE_TEST_OPTIONS "$<$<CONFIG:Release>:-O0>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 takes the frame of a coroutine for one that was allocated with another operator new.
  list(APPEND RBEE_WARNINGS -Wno-mismatched-new-delete)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # GCC 12's own std::stable_sort calls what its headers call deprecated.
  list(APPEND RBEE_WARNINGS -Wno-deprecated-declarations)
endif()
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED JSON_USE_IMPLICIT_CONVERSIONS=0)
