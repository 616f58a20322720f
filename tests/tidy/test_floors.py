#!/usr/bin/env python3
"""Shows, on small trees of its own, that floors.py catches each kind of violation."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import floors  # noqa: E402


class FloorsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#pragma once\n" + text if path.endswith(".h") else text, encoding="utf-8")

    def assert_clean(self, path, text):
        self.write(path, text)
        self.assertEqual([], floors.check_tree(self.root))

    def assert_caught(self, path, text, line, words):
        self.write(path, text)
        found = floors.check_tree(self.root)
        self.assertEqual(1, len(found), [str(violation) for violation in found])
        self.assertEqual((path, line), (found[0].file, found[0].line))
        self.assertIn(words, found[0].sentence)

    def test_an_empty_tree_is_clean(self):
        self.assertEqual([], floors.check_tree(self.root))

    def test_a_step_up_is_caught(self):
        self.assert_caught(
            "engine/base/bytes.h", '\n#include "engine/write_batch.h"\n', 3, "stands on floor 0"
        )

    def test_a_step_up_from_a_machine_is_caught(self):
        self.assert_caught(
            "replication/ring/ring.cc",
            '#include "replication/shard/shard.h"\n',
            1,
            "includes replication/shard/shard.h of floor 4",
        )

    def test_an_include_in_angle_brackets_is_no_way_round(self):
        self.assert_caught(
            "engine/base/bytes.cc", "#include <replication/ids.h>\n", 1, "of floor 3"
        )

    def test_steps_down_are_clean(self):
        self.write("engine/memory/memory_engine.cc", '#include "engine/storage_engine.h"\n')
        self.write("replication/ring/ring.cc", '#include "engine/registry.h"\n#include <map>\n')
        self.write("replication/node.cc", '#include "engine/storage_engine.h"\n')
        self.write("tests/unit/ring_test.cc", '#include <gtest/gtest.h>\n#include "engine/a.h"\n')
        self.assert_clean("plugins/rocksdb/engine.cc", '#include "rocksdb/db.h"\n')

    def test_floor_2_keeps_apart(self):
        self.assert_caught(
            "engine/null/null_engine.cc",
            '#include "engine/memory/memory_engine.h"\n',
            1,
            "do not include each other",
        )

    def test_a_machine_that_knows_engines_is_caught(self):
        self.assert_caught(
            "replication/version/record.h", '#include "engine/storage_engine.h"\n', 2, "floor 3"
        )

    def test_drivers_keep_apart(self):
        self.assert_caught(
            "replication/simulation/simulation.cc",
            '#include "replication/runtime/runtime.h"\n',
            1,
            "two drivers",
        )

    def test_plugins_are_used_by_name(self):
        for path in ("replication/config/config.cc", "bindings/module.cc", "tests/unit/x_test.cc"):
            with self.subTest(path):
                self.assert_caught(path, '#include "plugins/rocksdb/engine.h"\n', 1, "by name")
                (self.root / path).unlink()

    def test_a_plugin_that_uses_another_is_caught(self):
        self.assert_caught("plugins/lsm/lsm.cc", '#include "plugins/rocksdb/a.h"\n', 1, "another")

    def test_a_plugin_is_open_to_its_own_tests_and_to_benchmarks(self):
        self.write("tests/plugins/rocksdb/a_test.cc", '#include "plugins/rocksdb/a.h"\n')
        self.assert_clean("bench/engines.cc", '#include "plugins/rocksdb/a.h"\n')

    def test_a_plugin_is_closed_to_the_tests_of_another(self):
        self.assert_caught(
            "tests/plugins/lsm/a_test.cc", '#include "plugins/rocksdb/a.h"\n', 1, "by name"
        )

    def test_a_third_party_in_a_header_is_caught(self):
        self.assert_caught(
            "engine/base/hash.h", "#include <xxhash.h>\n", 2, "the standard library only"
        )

    def test_small_libraries_are_open_to_sources_of_floors_0_and_5(self):
        self.write("engine/base/hash.cc", "#include <unistd.h>\n#include <xxhash.h>\n")
        self.assert_clean("replication/config/config.cc", "#include <toml++/toml.h>\n")

    def test_a_third_party_in_a_machine_is_caught(self):
        self.assert_caught(
            "replication/ring/ring.cc", "#include <nlohmann/json.hpp>\n", 1, "floor 3 includes"
        )

    def test_a_thread_header_in_a_machine_is_caught(self):
        self.assert_caught("replication/shard/shard.h", "#include <mutex>\n", 2, "values and ticks")

    def test_banned_calls_are_caught(self):
        for call in (
            "auto t = std::chrono::steady_clock::now();",
            "auto t = time(nullptr);",
            "auto t = std::time(nullptr);",
            "return ::getpid();",
            "int i = rand();",
            "std::random_device source;",
            "std::thread worker;",
            "std::this_thread::sleep_for(d);",
            "usleep(3);",
        ):
            with self.subTest(call):
                self.assert_caught("engine/storage_engine.cc", "\n" + call + "\n", 2, "seam")

    def test_the_seams_own_sources_may_touch_the_world(self):
        call = "auto t = std::chrono::steady_clock::now();\n"
        self.write("engine/base/clock_system.cc", call)
        self.write("engine/base/disk_posix.cc", call)
        self.write("replication/daemon/http_server.cc", "#include <sys/socket.h>\nstd::thread t;\n")
        self.assert_clean("replication/runtime/runtime.cc", call)

    def test_a_daemon_beside_its_folder_may_not(self):
        self.assert_caught("replication/daemon.cc", "\nstd::thread t;\n", 2, "seam")

    def test_a_machine_may_not_include_the_daemon(self):
        self.assert_caught(
            "replication/ring/ring.cc",
            '#include "replication/daemon/http_server.h"\n',
            1,
            "of floor 5",
        )

    def test_words_that_only_look_banned_are_clean(self):
        self.assert_clean(
            "engine/base/clock.cc",
            "// time(nullptr) and std::thread are for others.\n"
            'const char* kText = "rand() // sleep(1)";\n'
            "Hlc time(int x);\n"
            "Hlc b = clock.time(1) + clock->time(2) + hlc::time(3);\n"
            "int64_t uptime(int x);\n"
            "int big = 1'000'000;\n",
        )

    def test_a_banned_call_after_a_string_is_still_caught(self):
        self.assert_caught(
            "engine/storage_engine.cc", 'log("// \\" quoted"); getpid();\n', 1, "getpid"
        )

    def test_a_long_line_is_caught(self):
        self.write("engine/base/fits.cc", "//" + "x" * 98 + "\n")
        self.assert_caught("engine/base/a.cc", "\n//" + "x" * 99 + "\n", 2, "101 columns")

    def test_columns_are_characters(self):
        self.assert_clean("engine/base/a.cc", "//" + "é" * 98 + "\n")

    def test_a_tab_is_caught(self):
        self.assert_caught("bindings/module.cc", "\tint x;\n", 1, "tab")

    def test_a_header_without_pragma_once_is_caught(self):
        self.write("engine/base/a.h", "")
        (self.root / "engine/base/a.h").write_text("int x;\n", encoding="utf-8")
        self.assertIn("pragma once", str(floors.check_tree(self.root)[0]))

    def test_an_include_beside_the_file_is_caught(self):
        self.write("engine/base/a.h", "")
        self.assert_caught("engine/base/a.cc", '#include "a.h"\n', 1, "from the root")

    def test_a_folder_without_a_floor_is_caught(self):
        self.assert_caught("replication/cellar/a.cc", "", 1, "no floor")

    def test_the_command_prints_and_fails(self):
        self.write("engine/base/a.cc", '#include "engine/registry.h"\n')
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = floors.main([str(self.root)])
        self.assertEqual(1, code)
        self.assertTrue(printed.getvalue().startswith("engine/base/a.cc:1: "))


if __name__ == "__main__":
    unittest.main()
