/* crash.h - the last words of a process that dies by SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT.
 *
 * A line in the log and on stderr names the thread, the plugin, the stage, the session and the
 * message; the same goes as a record into a file, where the next start finds it (crash-record.h).
 * Then the process dies of the same signal, as it would have without this: with a core dump if the
 * system makes one.  Under a sanitizer nothing is installed. */
#pragma once

/* Once, by the main thread, before others are started. */
void crash_install(void);
/* Where records are appended from now on: a descriptor opened with O_APPEND, -1: nowhere.  Returns
 * the one before. */
int crash_set_file(int fd);
/* Of a signal that came from outside (a service manager that waited in vain): threads that are so
 * long in one round are the ones that it is about.  In microseconds. */
void crash_set_stuck(long long stuck_us);
