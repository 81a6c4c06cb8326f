// The functions by which bridge.sv and bridge.py reach the one bridge of this process.
#include "bridge.hpp"

namespace {
Bridge bridge;
std::string told;  // keeps an error's text alive while Python copies it
}  // namespace

extern "C" {

// --- called by bridge.sv ---

int bridge_max_payload_flits() { return static_cast<int>(bridge.link.max_payload_bytes / kLineBytes); }
int bridge_max_read_flits() { return static_cast<int>(bridge.link.max_read_bytes / kLineBytes); }

unsigned char bridge_resume(long long *next_call) {
    int64_t next = 0;
    if (!bridge.resume(next)) return 0;
    *next_call = next;
    return 1;
}
long long bridge_next_cycle(long long cycle, long long wake_at) {
    return bridge.next_cycle(cycle, static_cast<uint64_t>(wake_at));
}
int bridge_edge(long long cycle, int nic, long long *next_call) {
    int64_t next = 0;
    const int flags = bridge.edge(cycle, nic, next);
    *next_call = next;
    return flags;
}

void bridge_to_host(long long cycle, const Word *beat) { bridge.to_host(cycle, beat); }
void bridge_read_request(long long cycle, const Word *request) { bridge.read_request(cycle, request); }
void bridge_ethernet_tx(long long cycle, const Word *beat) { bridge.ethernet_tx(cycle, beat); }

void bridge_ethernet_rx(Word *beat) { std::memcpy(beat, bridge.rx_pins, sizeof bridge.rx_pins); }
void bridge_read_completion(Word *beat) { std::memcpy(beat, bridge.completion_pins, sizeof bridge.completion_pins); }
void bridge_mmio_request(Word *request) { std::memcpy(request, bridge.mmio_pins, sizeof bridge.mmio_pins); }

// --- called by bridge.py; those that return bool say false on an error, which bridge_take_error tells ---

bool bridge_open(int64_t memory_bytes, const int64_t *link, int link_words, int64_t lookahead, bool skip_idle) {
    if (link_words != kLinkParameters) {
        bridge.fail("%d link parameters; accepted are %d", link_words, kLinkParameters);
        return false;
    }
    if (bridge.is_open) {
        bridge.fail("a second bridge; accepted is one per simulator process");
        return false;
    }
    LinkParameters parameters;
    std::memcpy(&parameters, link, sizeof parameters);
    bridge.open(parameters, lookahead, skip_idle);
    if (!bridge.sink.open()) {
        bridge.fail("no file for what is sent, neither in the working folder nor in the one for temporary files");
        return false;
    }
    if (bridge.host.memory.open(static_cast<uint64_t>(memory_bytes))) return true;
    bridge.fail("no room for a host memory of %ld bytes", memory_bytes);
    return false;
}
const char *bridge_take_error() {
    told.swap(bridge.error);
    bridge.error.clear();
    return told.c_str();
}
uint8_t *bridge_memory() { return bridge.host.memory.data(); }
int bridge_memory_file() { return bridge.host.memory.file(); }
int64_t *bridge_status() { return bridge.status; }
Effect *bridge_effects() { return bridge.effects.data(); }

bool bridge_mmio_write(int64_t now, uint64_t address, uint64_t value, int size) {
    return bridge.mmio_write(now, address, value, size);
}
bool bridge_mmio_read(int64_t now, uint64_t address, int32_t source) { return bridge.mmio_read(now, address, source); }
bool bridge_watch(uint64_t address, uint64_t bytes, int32_t source) { return bridge.watch(address, bytes, source); }
bool bridge_advance(int64_t now) { return bridge.advance(now); }
bool bridge_load_frames(const FrameBlock *block) {
    if (block->count && !bridge.is_to_come(block->times[0], block->lengths[0])) return false;
    bridge.source.add(*block);
    return true;
}
bool bridge_load_clients(const ClientBlock *block) {
    if (!bridge.is_to_come(block->start + block->mac, kLongestOfClient)) return false;
    bridge.source.open(*block, bridge.link);
    return true;
}
void bridge_fault(uint64_t read, int fault) { bridge.host.faults[read] = static_cast<ReadFault>(fault); }

// Frames that the NIC sent: the file with the bytes of all, each frame's end in it, and its time.
int64_t bridge_sent(int *file, const int64_t **ends, const int64_t **times) {
    *file = bridge.sink.file(), *ends = bridge.sink.ends.data(), *times = bridge.sink.times.data();
    return static_cast<int64_t>(bridge.sink.times.size());
}
bool bridge_end_frames(int64_t time) {
    if (time > bridge.cycle * kPeriod) {
        bridge.source.end(time);
        return true;
    }
    bridge.fail("an end of frames at %ld ps; accepted are times behind %ld ps", time, bridge.cycle * kPeriod);
    return false;
}

// Frames that the NIC sent up to `time`, and when the last one of these left; -1 if none did.
int64_t bridge_sent_up_to(int64_t time, int64_t *last) {
    const int64_t count = bridge.sink.count_up_to(time);
    *last = count ? bridge.sink.times[count - 1] : -1;
    return count;
}
// In the order of the fields of Counters in bridge.py.
void bridge_counters(int64_t *counters) {
    const int64_t values[] = {
        bridge.cycle + 1 - bridge.skipped, bridge.skipped, bridge.wakes, bridge.calls, bridge.up_bytes,
        bridge.host.down_bytes, bridge.host.writes_outside, bridge.host.reads_outside,
        static_cast<int64_t>(bridge.host.first_outside), bridge.to_host_beats, bridge.read_request_beats,
        bridge.read_completion_beats, bridge.mmio_request_beats, bridge.ethernet_tx_beats,
    };
    std::memcpy(counters, values, sizeof values);
}
// From now on each cycle's pins go to the file, or what the NIC sends; null ends it.
static bool change_file(std::FILE *&file, const char *path) {
    if (file) std::fclose(file);
    file = path ? std::fopen(path, "wb") : nullptr;
    if (!path || file) return true;
    bridge.fail("cannot write %s", path);
    return false;
}
bool bridge_record(const char *path) { return change_file(bridge.record, path); }
bool bridge_record_transfers(const char *path) { return change_file(bridge.transfers, path); }
// Of all transfers since `bridge_record`.
uint64_t bridge_hash() { return bridge.hash.value(); }
void bridge_log_link() {
    bridge.up.begin_log();
    bridge.host.way_down().begin_log();
}
// Begins and ends, in turn, of the spans in which a direction was busy; gives how many numbers these are.
int64_t bridge_busy(bool is_down, const int64_t **times) {
    const std::vector<Time> &busy = (is_down ? bridge.host.way_down() : bridge.up).busy();
    *times = busy.data();
    return static_cast<int64_t>(busy.size());
}
}
