#include <sys/wait.h>
#include <unistd.h>

#include "tests/runtime/cluster_fixture.h"

namespace ringwright {
namespace {

// The child must neither hang nor touch what belongs to the parent.
TEST(ForkTest, AForkedChildIsRefusedAndLeavesTheParentAlone) {
  auto cluster = Cluster::local(Settings());
  ASSERT_TRUE(cluster.has_value());
  auto client = *(*cluster)->client();
  ASSERT_OK(client->put("a", "1"));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto read = client->get("a");
    const bool refused = !read && read.error().code == Code::closed;
    client.reset();
    (*cluster)->close();
    cluster->reset();
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(values(*client->get("a")), std::vector<std::string>{"1"});
}

}  // namespace
}  // namespace ringwright
