/* date.c - dates as header fields write them. */
#include "proto/date.h"

#include <glib.h>
#include <time.h>

/* strftime() would ask the locale for the names. */
const char *
date_format(int64_t us, char text[DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const int64_t last = INT64_C(253402300799); /* the end of 9999: the grammar has four digits for a year */
	const time_t seconds = (time_t)CLAMP(us / 1000000, 0, last);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	g_snprintf(text, DATE_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days + parts.tm_wday * 3,
		parts.tm_mday, months + parts.tm_mon * 3, parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
	return text;
}
