# Installed, exported, namespaced targets: hopfield::core, hopfield::torch, hopfield::apps.
include(CMakePackageConfigHelpers)

set(_hopfield_installed hopfield_core)
install(DIRECTORY include/hopfield DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT core PATTERN "torch" EXCLUDE PATTERN "apps" EXCLUDE)
if(HOPFIELD_HAS_TORCH)
  list(APPEND _hopfield_installed hopfield_torch hopfield_apps)
  install(DIRECTORY include/hopfield/torch include/hopfield/apps
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hopfield)
endif()
install(TARGETS ${_hopfield_installed} EXPORT hopfieldTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT hopfieldTargets NAMESPACE hopfield:: DESTINATION
        ${CMAKE_INSTALL_LIBDIR}/cmake/hopfield)
configure_package_config_file(cmake/hopfield-config.cmake.in
  ${PROJECT_BINARY_DIR}/hopfield-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hopfield)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hopfield-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hopfield-config.cmake
        ${PROJECT_BINARY_DIR}/hopfield-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/hopfield)
