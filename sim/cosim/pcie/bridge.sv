// The NIC between link and wire. The clock lives here and may jump; what the NIC sends and gets crosses by DPI, each
// vector only when it carries something; Python is woken by a change of `events`.
`timescale 1ps / 1ps
module bridge;
  import "DPI-C" function int bridge_max_payload_flits();
  import "DPI-C" function int bridge_max_read_flits();
  // between two edges: may the clock go on, and in which cycle must bridge_edge be called at the latest
  import "DPI-C" function bit bridge_resume(output longint next_call);
  // the NIC is idle: the cycle to go on with
  import "DPI-C" function longint bridge_next_cycle(input longint cycle, input longint wake_at);
  // transfers at this rising edge
  import "DPI-C" function void bridge_to_host(input longint cycle, input bit [584:0] beat);
  import "DPI-C" function void bridge_read_request(input longint cycle, input bit [69:0] request);
  import "DPI-C" function void bridge_ethernet_tx(input longint cycle, input bit [576:0] beat);
  // what the pins are to be at the next edge: bits 0 to 2 valid, 3 to 5 new payload of RX, completion, MMIO; 6 to 8
  // ready of to_host, read_request, TX; 9: stop the clock and wake Python
  import "DPI-C" function int bridge_edge(input longint cycle, input int nic, output longint next_call);
  import "DPI-C" function void bridge_ethernet_rx(output bit [577:0] beat);
  import "DPI-C" function void bridge_read_completion(output bit [524:0] beat);
  import "DPI-C" function void bridge_mmio_request(output bit [104:0] request);

  bit clk, rst = 1, stopped = 1;
  longint cycle = -1, next_call;
  bit [63:0] tick;
  int events /*verilator public_flat_rd*/;
  bit [3:0] max_payload, max_read;

  bit rx_valid, completion_valid, mmio_valid, to_host_ready, read_request_ready, tx_ready;
  bit [577:0] rx, next_rx;
  bit [524:0] completion, next_completion;
  bit [104:0] mmio, next_mmio;
  wire completion_ready, mmio_ready, to_host_valid, read_request_valid, tx_valid, nic_ready, quiescent;
  wire [584:0] to_host;
  wire [69:0] read_request;
  wire [576:0] tx;
  wire [63:0] wake_at;

  enso_nic nic (
      .clk, .rst,
      .ethernet_rx__valid(rx_valid), .ethernet_rx__payload(rx),
      .ethernet_tx__valid(tx_valid), .ethernet_tx__payload(tx), .ethernet_tx__ready(tx_ready),
      .host__to_host__valid(to_host_valid), .host__to_host__payload(to_host), .host__to_host__ready(to_host_ready),
      .host__read_request__valid(read_request_valid), .host__read_request__payload(read_request),
      .host__read_request__ready(read_request_ready),
      .host__read_completion__valid(completion_valid), .host__read_completion__payload(completion),
      .host__read_completion__ready(completion_ready),
      .host__mmio_request__valid(mmio_valid), .host__mmio_request__payload(mmio),
      .host__mmio_request__ready(mmio_ready),
      .host__max_payload(max_payload), .host__max_read(max_read), .host__bus_master(1'b1), .host__reset(1'b0),
      .cycle(cycle), .tick(tick), .ready(nic_ready), .quiescent(quiescent), .wake_at(wake_at));

  wire driven = rx_valid | completion_valid | mmio_valid;
  wire to_host_moves = to_host_valid & to_host_ready & ~rst;
  wire read_request_moves = read_request_valid & read_request_ready & ~rst;
  wire tx_moves = tx_valid & tx_ready & ~rst;
  wire idle = quiescent & ~(driven | to_host_valid | read_request_valid | tx_valid | rst);

  // whether the clock goes on, or already did
  function automatic bit resumed();
    if (stopped) begin
      if (!bridge_resume(next_call)) return 0;
      stopped = 0;
      // known once Python has opened the bridge
      max_payload = 4'(bridge_max_payload_flits());
      max_read = 4'(bridge_max_read_flits());
    end
    return 1;
  endfunction

  function automatic void go_on();
    cycle = idle ? bridge_next_cycle(cycle, wake_at) : cycle + 1;
    tick = 64'(cycle) * 4 / 5;
  endfunction

  always @(posedge clk) begin
    int next;
    if (to_host_moves) bridge_to_host(cycle, to_host);
    if (read_request_moves) bridge_read_request(cycle, read_request);
    if (tx_moves) bridge_ethernet_tx(cycle, tx);
    if (driven | to_host_moves | read_request_moves | tx_moves | (cycle >= next_call)) begin
      next = bridge_edge(cycle, 32'({
          quiescent, tx_valid, read_request_valid, to_host_valid,
          mmio_valid & mmio_ready, completion_valid & completion_ready}), next_call);
      if (next[3]) begin
        bridge_ethernet_rx(next_rx);
        rx <= next_rx;
      end
      if (next[4]) begin
        bridge_read_completion(next_completion);
        completion <= next_completion;
      end
      if (next[5]) begin
        bridge_mmio_request(next_mmio);
        mmio <= next_mmio;
      end
      {mmio_valid, completion_valid, rx_valid} <= next[2:0];
      {tx_ready, read_request_ready, to_host_ready} <= next[8:6];
      stopped <= next[9];
      events <= events + 32'(next[9]);
    end
    rst <= 0;
  end

`ifdef WAVES
  // every edge at its own time, for the trace
  initial forever begin
    if (!resumed()) #1;
    else begin
      go_on();
      #(cycle * 4000 > $time ? cycle * 4000 - $time : 1) clk = 1;
      #2000 clk = 0;
    end
  end
`else
  // nothing but the trace looks at the simulator's time, and a time step costs more than a clock period: many periods
  // pass in one step, and the time follows
  localparam int PERIODS = 1000;
  int periods;

  always @(posedge clk) clk <= 0;
  always @(negedge clk) begin
    periods <= periods + 1;
    if (!stopped & periods < PERIODS) begin
      go_on();
      clk <= 1;
    end
  end

  initial forever begin
    if (resumed()) begin
      periods = 0;
      go_on();
      clk = 1;
    end
    #(cycle * 4000 > $time ? cycle * 4000 - $time : 1);
  end
`endif
endmodule
