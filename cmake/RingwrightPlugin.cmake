# ringwright_add_plugin(<name> SOURCES <file>... [LIBS <library>...] [NO_INSTALL])
#
# Makes the plugin `ringwright_<name>.so`, which `find_package(ringwright)` lets you build anywhere. The sources are
# compiled once, as the object library `ringwright_<name>_objects`, so that the plugin's own tests can link its parts
# directly.
#
# The file is built in RINGWRIGHT_PLUGIN_DIR, by default `plugins/` of the build tree, where RINGWRIGHT_PLUGIN_PATH or the
# setting `plugins.path` may point; `cmake --install` puts it where an installed Ringwright looks.

set(RINGWRIGHT_PLUGIN_SYMBOLS "${CMAKE_CURRENT_LIST_DIR}/plugin_symbols.map")

function(ringwright_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 PLUGIN "NO_INSTALL" "" "SOURCES;LIBS")
  if(NOT name MATCHES "^[a-z0-9_]+$")
    message(FATAL_ERROR "ringwright_add_plugin(${name}): a name has only lower-case letters, digits and '_'")
  endif()
  if(PLUGIN_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ringwright_add_plugin(${name}): unknown arguments ${PLUGIN_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT PLUGIN_SOURCES)
    message(FATAL_ERROR "ringwright_add_plugin(${name}): no SOURCES")
  endif()

  set(objects ringwright_${name}_objects)
  add_library(${objects} OBJECT ${PLUGIN_SOURCES})
  set_target_properties(${objects} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${objects} PUBLIC ringwright::core ${PLUGIN_LIBS})

  set(target ringwright_${name})
  add_library(${target} MODULE)
  target_link_libraries(${target} PRIVATE ${objects})
  # A process looks into its own libraries before it looks into a plugin. Without this, a plugin whose class has the name
  # of one of the core's, or of another library's, would run that other class's code.
  target_link_options(${target} PRIVATE "-Wl,--version-script=${RINGWRIGHT_PLUGIN_SYMBOLS}")
  set_target_properties(${target} PROPERTIES
    LINK_DEPENDS "${RINGWRIGHT_PLUGIN_SYMBOLS}"
    PREFIX ""
    LINKER_LANGUAGE CXX)

  set(folder "${RINGWRIGHT_PLUGIN_DIR}")
  if(NOT folder)
    set(folder "${PROJECT_BINARY_DIR}/plugins")
  endif()
  # Of a wheel the library lies one folder above the plugin, of an installed package two.
  set_target_properties(${target} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY "${folder}"
    INSTALL_RPATH "$ORIGIN/..;$ORIGIN/../.."
    INSTALL_RPATH_USE_LINK_PATH ON)

  if(PLUGIN_NO_INSTALL)
    return()
  endif()
  if(DEFINED SKBUILD)
    set(destination ringwright/plugins)
  else()
    include(GNUInstallDirs)
    set(destination "${CMAKE_INSTALL_LIBDIR}/ringwright/plugins")
  endif()
  install(TARGETS ${target} LIBRARY DESTINATION "${destination}")
endfunction()
