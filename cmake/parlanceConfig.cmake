include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Eigen3 NO_MODULE)
find_dependency(xsimd)
if(NOT TARGET xtl)  # named by Debian's xsimd target, not needed by its headers
  set_property(TARGET xsimd PROPERTY INTERFACE_LINK_LIBRARIES "")
endif()
find_dependency(nlohmann_json)
include(${CMAKE_CURRENT_LIST_DIR}/parlanceTargets.cmake)
