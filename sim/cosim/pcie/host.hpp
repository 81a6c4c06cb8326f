// The host's end of the link: memory, what the NIC does to it at which host time, and the way down to the NIC.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <queue>
#include <vector>

#include "link.hpp"
#include "pins.hpp"
#include "ring.hpp"

constexpr uint64_t kMemoryBase = 0x1'0000'0000;  // HOST_MEMORY_BASE in nic/base.py
constexpr int kPageShift = 12;

// One buffer, which is a file in memory so that software can see parts of it twice; each page may have a source, the
// number by which software knows who watches it.
class HostMemory {
  public:
    bool open(uint64_t bytes) {
        file_ = memfd_create("host memory", MFD_CLOEXEC);
        if (file_ < 0 || ftruncate(file_, static_cast<off_t>(bytes))) return false;
        void *mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file_, 0);
        if (mapped == MAP_FAILED) return false;
        data_ = static_cast<uint8_t *>(mapped), size_ = bytes;
        sources_.assign(bytes >> kPageShift, -1);
        return true;
    }
    uint8_t *data() const { return data_; }
    int file() const { return file_; }
    // Null if [address, address + bytes) is not all inside.
    uint8_t *at(uint64_t address, uint64_t bytes) const {
        const uint64_t offset = address - kMemoryBase;
        return offset < size_ && bytes <= size_ - offset ? data_ + offset : nullptr;
    }
    int32_t source(uint64_t address) const {
        const uint64_t page = (address - kMemoryBase) >> kPageShift;
        return page < sources_.size() ? sources_[page] : -1;
    }
    bool watch(uint64_t address, uint64_t bytes, int32_t source) {
        if (!at(address, bytes)) return false;
        const auto first = sources_.begin() + static_cast<int64_t>((address - kMemoryBase) >> kPageShift);
        std::fill(first, first + static_cast<int64_t>(bytes >> kPageShift), source);
        return true;
    }

  private:
    int file_ = -1;
    uint8_t *data_ = nullptr;
    uint64_t size_ = 0;
    std::vector<int32_t> sources_;
};

// A completion TLP: `flits` lines of a read's answer, or an error without data (one beat).
struct Completion {
    uint8_t tag, first_index, flits;
    bool last, error;
    uint8_t data[kMaxTlpBytes];
};

enum class ReadFault : int { kNone = 0, kDrop = 1, kAbort = 2, kPoison = 3 };

class HostSide {
  public:
    struct ArrivedCompletion {
        Time at;
        int completion;
    };
    struct ArrivedMmio {
        Time at;
        MmioRequest request;
    };

    HostMemory memory;
    Ring<ArrivedCompletion> completions;  // at the NIC, in order of arrival
    Ring<ArrivedMmio> mmio;
    std::map<uint64_t, ReadFault> faults;  // by number of the read
    int64_t writes_outside = 0, reads_outside = 0, down_bytes = 0;
    uint64_t first_outside = 0;

    void configure(const LinkParameters &parameters) {
        link_ = parameters;
        draws_ = Draws(parameters.seed);
    }
    const Completion &completion(int index) const { return pool_[index]; }
    Server &way_down() { return down_; }
    void release(int index) { free_.push_back(index); }

    // A posted write that reaches the host at `time`, later than all before. Software does nothing before `silent`.
    void write(Time time, uint64_t address, int flits, const uint8_t *data, Time silent) {
        if (time <= silent) {  // nobody can look before: no need to keep it
            process(time);
            apply(address, flits, data);
            return;
        }
        Write &queued = writes_.push();
        queued.time = time, queued.address = address, queued.flits = flits, queued.order = order_++;
        std::memcpy(queued.data, data, flits * kLineBytes);
    }
    void read(Time time, uint64_t address, int flits, uint8_t tag) {
        reads_.push() = {time + link_.memory_read_ps, order_++, address, flits, tag, reads_begun_++};
    }
    void mmio_access(Time time, const MmioRequest &request, int bytes) { mmio_issued_.push() = {time, request, bytes}; }

    // Host time of the first access to memory that is not yet applied.
    Time next_change() const { return std::min(next_write(), next_read()); }
    // Host time of the first item that will send something to the NIC.
    Time next_down() const { return std::min({next_read(), next_completion(), next_mmio()}); }

    // Do all that happens up to `limit`, in the order of host time; at equal time the NIC first.
    void process(Time limit) {
        for (;;) {
            const Time write = next_write(), read = next_read(), completion = next_completion(), mmio = next_mmio();
            const Time next = std::min({write, read, completion, mmio});
            if (next > limit || next == kNever) return;
            if (write == next && (read != next || writes_.front().order < reads_.front().order)) {
                const Write &front = writes_.front();
                apply(front.address, front.flits, front.data);
                writes_.pop();
            } else if (read == next) {
                sample(reads_.front());
                reads_.pop();
            } else if (completion == next) {
                const int index = answers_.top().completion;
                answers_.pop();
                const int bytes = pool_[index].flits * kLineBytes;
                completions.push() = {arrival(next, bytes), index};
            } else {
                const IssuedMmio &front = mmio_issued_.front();
                this->mmio.push() = {arrival(next, front.bytes), front.request};
                mmio_issued_.pop();
            }
        }
    }
    // Calls `found(time, address)` for each queued write to [address, address + bytes) after `now`.
    template <typename Found>
    void queued_writes(uint64_t address, uint64_t bytes, Time now, Found found) const {
        for (size_t i = 0; i < writes_.size(); i++)
            if (writes_[i].time > now && writes_[i].address - address < bytes) found(writes_[i].time, writes_[i].address);
    }

  private:
    struct Write {
        Time time;
        uint64_t order, address;
        int flits;
        uint8_t data[kMaxTlpBytes];
    };
    struct Read {
        Time time;  // of the sample
        uint64_t order, address;
        int flits;
        uint8_t tag;
        uint64_t number;
    };
    struct Answer {
        Time time;
        uint64_t order;
        int completion;
        bool operator<(const Answer &other) const {  // the earliest is on top
            return time != other.time ? time > other.time : order > other.order;
        }
    };
    struct IssuedMmio {
        Time time;
        MmioRequest request;
        int bytes;
    };

    Time next_write() const { return writes_.empty() ? kNever : writes_.front().time; }
    Time next_read() const { return reads_.empty() ? kNever : reads_.front().time; }
    Time next_completion() const { return answers_.empty() ? kNever : answers_.top().time; }
    Time next_mmio() const { return mmio_issued_.empty() ? kNever : mmio_issued_.front().time; }

    // When a TLP that enters the way down at `time` is whole at the NIC.
    Time arrival(Time time, int bytes) {
        const int64_t all = bytes + link_.overhead_bytes;
        down_bytes += all;
        return down_.serve(time, sending_time(all, link_.bytes_per_second)) + link_.propagation_down_ps;
    }

    void apply(uint64_t address, int flits, const uint8_t *data) {
        if (uint8_t *place = memory.at(address, flits * kLineBytes)) {
            std::memcpy(place, data, flits * kLineBytes);
        } else if (writes_outside++ == 0) {
            first_outside = address;
        }
    }

    void sample(const Read &read) {
        const uint8_t *place = memory.at(read.address, read.flits * kLineBytes);
        const auto found = faults.find(read.number);
        ReadFault fault = found == faults.end() ? ReadFault::kNone : found->second;
        if (!place) {
            reads_outside++;
            fault = ReadFault::kAbort;
        }
        if (fault == ReadFault::kDrop) return;
        Time time = read.time;
        for (int from = 0, part = 0; from < read.flits; part++) {
            const int flits = fault == ReadFault::kAbort ? read.flits : flits_of_part(read, from, part);
            const int index = take();
            Completion &answer = pool_[index];
            answer.tag = read.tag;
            answer.first_index = static_cast<uint8_t>(from);
            answer.flits = static_cast<uint8_t>(fault == ReadFault::kAbort ? 0 : flits);
            answer.last = from + flits == read.flits;
            answer.error = fault != ReadFault::kNone;
            if (answer.flits) std::memcpy(answer.data, place + from * kLineBytes, flits * kLineBytes);
            if (link_.completion_jitter_ps) {
                const Time late = draws_.below(link_.completion_jitter_ps + 1, Draws::kJitter, read.number, part);
                time = std::max(time, read.time + late);  // in order within the read
            }
            answers_.push({time, read.number * 16 + part, index});
            from += flits;
        }
    }
    // Lines in the TLP that starts with line `from` of the read: all that fit, or fewer, up to a completion boundary.
    int flits_of_part(const Read &read, int from, int part) const {
        const auto boundary = link_.completion_boundary_bytes;
        const int64_t start = static_cast<int64_t>(read.address % 4096) + from * kLineBytes;
        const int64_t end_of_read = start + (read.flits - from) * kLineBytes;
        int64_t end = start + link_.max_payload_bytes;
        if (link_.cut_completions) end = start + 1 + draws_.below(link_.max_payload_bytes, Draws::kCut, read.number, part);
        if (end >= end_of_read) return read.flits - from;
        end = std::max(end / boundary * boundary, (start / boundary + 1) * boundary);
        return static_cast<int>((std::min(end, end_of_read) - start) / kLineBytes);
    }
    int take() {
        if (free_.empty()) {
            pool_.emplace_back();
            return static_cast<int>(pool_.size()) - 1;
        }
        const int index = free_.back();
        free_.pop_back();
        return index;
    }

    LinkParameters link_{};
    Draws draws_;
    Server down_;
    Ring<Write> writes_;
    Ring<Read> reads_;
    std::priority_queue<Answer> answers_;
    Ring<IssuedMmio> mmio_issued_;
    std::vector<Completion> pool_;
    std::vector<int> free_;
    uint64_t order_ = 0, reads_begun_ = 0;
};
