// A queue whose items can be taken from a cycle on, in the order in which they were put in.
#pragma once
#include "parameters.hpp"
#include "ring.hpp"

constexpr Cycle kNoCycle = INT64_MAX;

template <typename Item>
class DelayQueue {
  public:
    Item &push(Cycle from) {
        auto &entry = entries_.push();
        entry.from = from;
        return entry.item;
    }
    bool ready(Cycle now) const { return !entries_.empty() && entries_.front().from <= now; }
    Cycle next() const { return entries_.empty() ? kNoCycle : entries_.front().from; }
    Item &front() { return entries_.front().item; }
    const Item &front() const { return entries_.front().item; }
    Item &operator[](size_t i) { return entries_[i].item; }
    void pop() { entries_.pop(); }
    size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }

  private:
    struct Entry {
        Cycle from;
        Item item;
    };
    Ring<Entry> entries_;
};
