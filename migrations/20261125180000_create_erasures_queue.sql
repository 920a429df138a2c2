-- A night may have thousands of erasures, and each takes a while: they wait apart from what must be done by the minute.
SELECT queue.create_queue('erasures');
