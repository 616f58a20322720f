#pragma once

#include "replication/daemon/http_server.h"

namespace ringwright {

// What the admin port shows of a node that may still be starting.
class AdminSource {
 public:
  virtual ~AdminSource() = default;
  virtual HttpResponse metrics() = 0;
  virtual HttpResponse readiness() = 0;
  virtual HttpResponse health(bool verbose) = 0;
  virtual HttpResponse status() = 0;
  virtual HttpResponse faults() = 0;
  virtual HttpResponse replace_link_faults(const std::string& body) = 0;
  virtual HttpResponse change_engine_faults(const std::string& body) = 0;
};

// Finds the page: 404 for an unknown path, 405 for a method that the page does not have.
HttpResponse admin_page(AdminSource& source, const HttpRequest& request);

}  // namespace ringwright
