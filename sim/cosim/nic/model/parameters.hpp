// What the fast NIC is told: the sizes of the NIC, and the latencies that were measured of the RTL.
#pragma once
#include <cstdint>

using Cycle = int64_t;

// Filled by Python field by field: NicConfig's numbers in their order, then those of Latencies in latencies.py.
struct NicParameters {
    int64_t pipes, notification_buffers, pipe_flits, notification_slots, packet_buffer_flits, flow_entries;
    int64_t pipe_operations, data_tags, request_tags, tx_buffer_flits, maximum_frame, read_timeout_cycles;
    // in cycles, each from the edge at which the first thing is taken to that at which the second one is
    int64_t open, frame_to_write, head_to_notification, register_read, extension_read, tx_register_read;
    int64_t tail_to_slot_read, slot_to_data_read, data_to_frame, data_to_completion, flow_insert;

    int64_t maximum_frame_flits() const { return (maximum_frame + 63) / 64; }
};
constexpr int kNicParameters = sizeof(NicParameters) / sizeof(int64_t);
