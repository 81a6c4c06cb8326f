"""One simulated host, its software and its NIC, from set-up to result.

    options = Options(system="indirect", application="echo", cores=4, uthreads=8, flows=((key, 0), (key, 1)))
    memory_bytes(options)                          # how large the NIC's host memory must be
    simulation = Simulation(nic, options)          # ValueError, one line: an option that cannot work
    ready = await simulation.prepare()             # devices opened, flows bound; frames may reach the NIC from `ready` on
    nic.load_frames(...)                           # the caller's: times not before `ready`
    await simulation.run(measured_until, end)      # to the host time `end`, in ps
    word = await simulation.read_register(address) # 64 bits, for counters
    simulation.require_progress(outstanding)       # raises Deadlock, which says who waits for what, if nothing moves any more
    report = simulation.report()

A flow's key is (destination_port, source_port, destination_address, source_address), unused fields 0. Times are integer
picoseconds of host time. `measured_until` ends the window, begun at `ready`, over which the time of the cores is split.
`end` bounds the run: the last arrival plus the time that may pass until all is drained.

`report` gives (all of it a function of configuration and seed alone):

    iokernel_ps     {rx, tx_completion, message, cores, detection, grant, poll}: its sum is the window
    core_ps         {application, driver, scheduler, softirq, steal, switch, answer, queue_full, idle}, of all
                    application cores together
    window_ps, end_ps (time of the last effect), messages {kind: n}, notifications, packets, packets_per_notification,
    completions, grants, false_detections, runqueue_insertions, softirqs, steals, event_hash, costs_sha256
"""
