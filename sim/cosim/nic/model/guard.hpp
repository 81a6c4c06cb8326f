// The DMA guard: which host memory each notification buffer may have the NIC touch: dma_guard.py.
#pragma once
#include "ordered_reader.hpp"

class Guard {
  public:
    void configure(const NicParameters &parameters) {
        owners_.assign(static_cast<size_t>(parameters.pipes), 0);
        pipe_lows_.assign(static_cast<size_t>(parameters.pipes), 0);
        windows_.assign(static_cast<size_t>(parameters.notification_buffers), {});
    }
    // Whether the access goes on in this cycle; a ring that may not be enabled has become a write of 0.
    bool passes(Access &access, Cycle now, ExtensionPage &page) {
        uint32_t *low = access.write ? low_of(access) : nullptr;
        if (!page.guard || !low || !access.high) return true;
        if (!came_) came_ = now;
        if (now < *came_ + kRingSteps) return false;
        const uint64_t address = (access.low ? access.low_half() : *low) | uint64_t{access.high_half()} << 32;
        refuses_ = address && !allows(access, address, page);
        address_ = address;
        if (refuses_) access.data = 0, access.low = access.high = true;
        return true;
    }
    // The access that has passed was taken.
    void taken(const Access &access, Cycle now, ExtensionPage &page) {
        uint32_t *low = access.write ? low_of(access) : nullptr;
        if (low && access.low) *low = access.low_half();
        if (access.write && access.low) write(access);
        if (refuses_) page.refuse(kRefusedRings, access.page, address_, now);
        came_.reset(), refuses_ = false;
    }
    // Whether the slot that is shown goes on in this cycle; `forbidden`: without what it asks for.
    bool passes(const ReadLine &slot, Cycle now, const ExtensionPage &page, bool &forbidden) {
        if (!slot_came_) slot_came_ = now, window_ = windows_[static_cast<size_t>(slot.buffer)];
        if (!judged_) {
            if (page.guard && now < *slot_came_ + kSlotSteps) return false;
            judged_ = page.guard && slot.kind == ReadKind::kRequest && !slot.error && !allows(slot);
        }
        forbidden = *judged_;
        return true;
    }
    void taken(const ReadLine &slot, Cycle now, ExtensionPage &page) {
        if (*judged_) page.refuse(kRefusedRequests, kFirstBufferPage + slot.buffer, word(slot, 1), now);
        slot_came_.reset(), judged_.reset();
    }

  private:
    static constexpr Cycle kRingSteps = 3, kSlotSteps = 2;
    static constexpr int kFirstOwnerPage = kFirstExtensionPage + 48, kFirstWindowPage = kFirstExtensionPage + 64, kWindowPages = 4;
    struct Window {
        uint64_t first = 0, end = 0;  // in lines
        bool may_configure = false;
        uint32_t lows[2] = {};  // of the addresses of the buffer's rings, RX and TX

        bool holds(uint64_t line, uint64_t lines) const { return first <= line && line + lines <= end; }
    };

    static uint64_t word(const ReadLine &slot, int index) {
        uint64_t value;
        std::memcpy(&value, slot.data + 8 * index, 8);
        return value;
    }
    // The lower half of the ring's address that the access is to, if it is to one.
    uint32_t *low_of(const Access &access) {
        if (access.is_pipe && access.word == 1 && static_cast<size_t>(access.page) < pipe_lows_.size())
            return &pipe_lows_[static_cast<size_t>(access.page)];
        if (access.is_buffer && (access.word == 1 || access.word == 3) && static_cast<size_t>(access.buffer()) < windows_.size())
            return &windows_[static_cast<size_t>(access.buffer())].lows[access.word == 3];
        return nullptr;
    }
    bool allows(const Access &access, uint64_t address, const ExtensionPage &page) const {
        const uint32_t buffer = access.is_pipe ? owners_[static_cast<size_t>(access.page)] : static_cast<uint32_t>(access.buffer());
        if (buffer >= windows_.size() || (access.is_pipe && (address & 0x3ff) != buffer)) return false;
        const uint64_t line = access.is_pipe ? address / 1024 * 16 : address / kLineBytes;
        return windows_[buffer].holds(line, uint64_t{1} << (access.is_pipe ? page.pipe_ring : page.notification_ring));
    }
    bool allows(const ReadLine &slot) const {
        if (word(slot, 0) == kConfigSignal) return window_.may_configure;
        const uint64_t bytes = word(slot, 2) & 0xfffff;
        return window_.holds(word(slot, 1) / kLineBytes, (bytes + kLineBytes - 1) / kLineBytes);
    }
    void write(const Access &access) {
        const uint64_t value = access.low_half() | (access.high ? uint64_t{access.high_half()} << 32 : 0);
        const auto entry = static_cast<size_t>(access.entry), buffer = entry / 2 & 1023;
        if (access.page >= kFirstOwnerPage && access.page < kFirstOwnerPage + kTablePages && entry < owners_.size())
            owners_[entry] = value & 0x3ff;
        if (access.page < kFirstWindowPage || access.page >= kFirstWindowPage + kWindowPages || buffer >= windows_.size()) return;
        Window &window = windows_[buffer];
        if (entry & 1) window.end = value / kLineBytes;
        else window.first = value / kLineBytes, window.may_configure = value & 1;
    }

    std::vector<uint32_t> owners_, pipe_lows_;
    std::vector<Window> windows_;
    std::optional<Cycle> came_, slot_came_;
    std::optional<bool> judged_;
    Window window_;
    bool refuses_ = false;
    uint64_t address_ = 0;
};
