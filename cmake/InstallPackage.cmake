# What `cmake --install` puts under the prefix: the library, the daemon, the plugins (each where it is added), the headers
# that authors of engines, resolvers and transports see, the conformance suites, and the package for find_package().

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(RINGWRIGHT_INSTALL_INCLUDE_DIR "${CMAKE_INSTALL_INCLUDEDIR}/ringwright")
set(RINGWRIGHT_INSTALL_PLUGIN_DIR "${CMAKE_INSTALL_LIBDIR}/ringwright/plugins")
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ringwright")

install(TARGETS ringwright EXPORT ringwrightTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${RINGWRIGHT_INSTALL_INCLUDE_DIR}")
install(TARGETS ringwrightd RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")

# Headers keep their paths, so that an author includes them as this tree does. Floors 0, 1 and 2, and of floor 3 what
# resolvers and transports are made of.
foreach(folder IN ITEMS engine replication/membership replication/resolver replication/ring replication/transport
                        replication/version tests/conformance tests/support)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}/"
    DESTINATION "${RINGWRIGHT_INSTALL_INCLUDE_DIR}/${folder}"
    FILES_MATCHING PATTERN "*.h"
    PATTERN "plugins" EXCLUDE)
endforeach()
# Also where no plugin is built.
install(DIRECTORY DESTINATION "${RINGWRIGHT_INSTALL_PLUGIN_DIR}")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/examples/plugin" "${PROJECT_SOURCE_DIR}/examples/resolver_plugin"
                  "${PROJECT_SOURCE_DIR}/examples/transport_plugin"
  DESTINATION "${CMAKE_INSTALL_DATADIR}/ringwright/examples")

install(EXPORT ringwrightTargets NAMESPACE ringwright:: DESTINATION "${package_dir}")
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/ringwrightConfig.cmake.in" "${PROJECT_BINARY_DIR}/generated/ringwrightConfig.cmake"
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS RINGWRIGHT_INSTALL_INCLUDE_DIR RINGWRIGHT_INSTALL_PLUGIN_DIR)
# Before 1.0 a minor version may change anything.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/ringwrightConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/generated/ringwrightConfig.cmake"
  "${PROJECT_BINARY_DIR}/generated/ringwrightConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/RingwrightPlugin.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/plugin_symbols.map"
  DESTINATION "${package_dir}")
