# Installed, exported, namespaced targets. The core's export stands alone: a consumer of hopfield::core needs no
# torch even where hopfield was built with it.
include(CMakePackageConfigHelpers)

set(_hopfield_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hopfield)
install(DIRECTORY include/hopfield DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        PATTERN "torch" EXCLUDE PATTERN "apps" EXCLUDE)
install(TARGETS hopfield_core EXPORT hopfieldCoreTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT hopfieldCoreTargets NAMESPACE hopfield:: DESTINATION ${_hopfield_package_dir})
if(HOPFIELD_HAS_TORCH)
  install(DIRECTORY include/hopfield/torch include/hopfield/apps
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hopfield)
  install(TARGETS hopfield_torch hopfield_apps EXPORT hopfieldTorchTargets
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT hopfieldTorchTargets NAMESPACE hopfield:: DESTINATION ${_hopfield_package_dir})
endif()
configure_package_config_file(cmake/hopfield-config.cmake.in
  ${PROJECT_BINARY_DIR}/hopfield-config.cmake INSTALL_DESTINATION ${_hopfield_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hopfield-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hopfield-config.cmake
        ${PROJECT_BINARY_DIR}/hopfield-config-version.cmake DESTINATION ${_hopfield_package_dir})
