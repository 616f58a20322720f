#include "replication/daemon/admin_pages.h"

#include <array>
#include <string_view>

#include "replication/daemon/node_json.h"

namespace ringwright {
namespace {

// The query's parts are few and have no values that need decoding.
bool has_flag(std::string_view query, std::string_view flag) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view part = query.substr(0, end);
    const auto equals = part.find('=');
    const std::string_view value = equals == part.npos ? "" : part.substr(equals + 1);
    if (part.substr(0, equals) == flag && value != "0" && value != "false") return true;
    query.remove_prefix(end == query.npos ? query.size() : end + 1);
  }
  return false;
}

HttpResponse live() { return {200, "{\"status\":\"ok\"}\n"}; }

HttpResponse answer(AdminSource& source, const HttpRequest& request) {
  const std::string& path = request.path;
  if (path == "/livez") return live();
  if (path == "/readyz") return source.readiness();
  if (path == "/health") return source.health(has_flag(request.query, "verbose"));
  if (path == "/status") return source.status();
  if (path == "/metrics") return source.metrics();
  if (request.method == "PUT") return source.replace_link_faults(request.body);
  if (request.method == "POST") return source.change_engine_faults(request.body);
  return source.faults();
}

}  // namespace

HttpResponse admin_page(AdminSource& source, const HttpRequest& request) {
  constexpr std::array paths = {"/livez", "/readyz", "/health", "/status", "/metrics", "/faults"};
  bool is_known = false;
  for (const std::string_view path : paths) is_known |= request.path == path;
  if (!is_known)
    return {404, error_json("there is no page " + request.path +
                            "; there are /livez /readyz /health /status /metrics /faults")};
  const bool may_change = request.path == "/faults";
  if (request.method == "GET" ||
      (may_change && (request.method == "PUT" || request.method == "POST")))
    return answer(source, request);
  HttpResponse refused{405, error_json(request.path + " does not know " + request.method)};
  refused.allow = may_change ? "GET, HEAD, PUT, POST" : "GET, HEAD";
  return refused;
}

}  // namespace ringwright
