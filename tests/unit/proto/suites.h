/* suites.h - the suites of the proto floor. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite suite_command, suite_data, suite_date, suite_header, suite_idn, suite_line, suite_mailbox,
	suite_mbox, suite_path,
	suite_proxy, suite_recode, suite_reply, suite_srs, suite_xtext;
