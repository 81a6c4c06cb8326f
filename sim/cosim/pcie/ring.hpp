// A queue in one block of memory that grows to the largest size needed; no allocation per item.
#pragma once
#include <cstddef>
#include <vector>

template <typename Item>
class Ring {
  public:
    bool empty() const { return head_ == tail_; }
    Item &front() { return items_[place(head_)]; }
    const Item &front() const { return items_[place(head_)]; }
    size_t size() const { return tail_ - head_; }
    Item &operator[](size_t i) { return items_[place(head_ + i)]; }
    const Item &operator[](size_t i) const { return items_[place(head_ + i)]; }
    void pop() { head_++; }
    Item &push() {
        if (size() == items_.size()) {
            std::vector<Item> larger(items_.size() * 2);
            for (size_t i = 0; i < size(); i++) larger[i] = (*this)[i];
            tail_ = size(), head_ = 0;
            items_.swap(larger);
        }
        return items_[place(tail_++)];
    }

  private:
    size_t place(size_t i) const { return i & (items_.size() - 1); }

    std::vector<Item> items_ = std::vector<Item>(64);
    size_t head_ = 0, tail_ = 0;
};
