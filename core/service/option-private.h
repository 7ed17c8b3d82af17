/* option-private.h - numbers with units, between the files of option. */
#pragma once

#include "service/option.h"

/* Of PTN_NUMBER, PTN_SIZE, PTN_TIME; checks the range of `option`. */
bool option_parse_number(const PtnOption *option, const char *text, int64_t *number, GError **error);
/* "5m .. 15m", "5m". */
bool option_parse_time_range(const PtnOption *option, const char *text, int64_t *least, int64_t *most,
	GError **error);
/* "200/1h", "10G/1d"; "off" is 0 and 0. */
bool option_parse_rate(const char *text, int64_t *number, int64_t *window_us, GError **error);
/* As an administrator would write it.  New. */
char *option_format_number(unsigned type, int64_t number);
