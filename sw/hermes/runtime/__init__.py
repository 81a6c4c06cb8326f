"""The runtime of an application: kthreads, uthreads, their queues, and how work finds a core."""
