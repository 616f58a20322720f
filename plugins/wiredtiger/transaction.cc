#include "plugins/wiredtiger/transaction.h"

#include "plugins/wiredtiger/convert.h"

namespace ringwright {
namespace {

struct Bounds {
  int error = 0;
  bool empty = false;
};

// Puts the cursors on the first and the last row of a range.
Bounds find_bounds(WT_CURSOR* first, WT_CURSOR* last, const KeyRange& range) {
  int side = 0;
  if (!range.start.empty()) {
    const WT_ITEM start = to_item(range.start);
    first->set_key(first, &start);
    const int error = first->search_near(first, &side);
    if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  }
  int error = range.start.empty() || side < 0 ? first->next(first) : 0;
  if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  side = 0;
  if (!range.stop.empty()) {
    const WT_ITEM stop = to_item(range.stop);
    last->set_key(last, &stop);
    error = last->search_near(last, &side);
    if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  }
  error = range.stop.empty() || side >= 0 ? last->prev(last) : 0;
  if (error != 0) return {error == WT_NOTFOUND ? 0 : error, true};
  WT_ITEM low{};
  WT_ITEM high{};
  error = first->get_key(first, &low);
  if (error == 0) error = last->get_key(last, &high);
  return {error, error == 0 && to_view(low) > to_view(high)};
}

int drop_rows(WT_SESSION* session, WT_CURSOR* first, WT_CURSOR* last, const KeyRange& range) {
  const Bounds bounds = find_bounds(first, last, range);
  if (bounds.error != 0 || bounds.empty) return bounds.error;
  return session->truncate(session, nullptr, first, last, nullptr);
}

}  // namespace

int begin_batch(NativeSession& native, const WriteBatch& batch, const Bytes*& touched) {
  WT_SESSION* const session = native.session;
  WT_CURSOR* const rows = native.rows;
  int error = session->begin_transaction(session, nullptr);
  if (error != 0) return error;
  bool stays = false;  // the cursor at a row: an insert that succeeds leaves it at none
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.key.empty()) continue;  // removes what cannot be there
    touched = &operation.key;
    const WT_ITEM key = to_item(operation.key);
    rows->set_key(rows, &key);
    if (operation.kind == WriteBatch::Kind::put) {
      const WT_ITEM value = to_item(operation.value);
      rows->set_value(rows, &value);
      error = rows->insert(rows);
    } else {
      error = rows->remove(rows);
      stays = true;
      if (error == WT_NOTFOUND) error = 0;
    }
    if (error != 0) break;
  }
  if (stays || error != 0) rows->reset(rows);
  if (error != 0) native.roll_back();
  return error;
}

int begin_drop(NativeSession& native, const KeyRange& range) {
  WT_SESSION* const session = native.session;
  int error = session->begin_transaction(session, nullptr);
  if (error != 0) return error;
  WT_CURSOR* first = nullptr;
  WT_CURSOR* last = nullptr;
  error = session->open_cursor(session, rows_table, nullptr, nullptr, &first);
  if (error == 0) error = session->open_cursor(session, rows_table, nullptr, nullptr, &last);
  if (error == 0) error = drop_rows(session, first, last, range);
  if (first != nullptr) first->close(first);
  if (last != nullptr) last->close(last);
  if (error != 0) native.roll_back();
  return error;
}

int commit(NativeSession& native) {
  const int error = native.session->commit_transaction(native.session, nullptr);
  // After a panic elsewhere it was not even tried.
  if (error == WT_PANIC) native.roll_back();
  return error;
}

bool may_be_retried(int error) { return error == WT_ROLLBACK || error == WT_CACHE_FULL; }

}  // namespace ringwright
