/* delivery-trust.h - alarms for next hops whose certificate is not accepted under tls = verify.  Any thread. */
#pragma once

#include <stdint.h>

#include "service/metrics.h"

typedef struct DeliveryTrust DeliveryTrust;

DeliveryTrust *delivery_trust_new(Metrics *metrics);
void delivery_trust_free(DeliveryTrust *trust); /* the alarms stay as they are */
/* Raises "delivery.certificate.HOP"; `reply`: what the recipients' state says.  A few next hops have an
 * alarm at a time, others have none. */
void delivery_trust_failed(DeliveryTrust *trust, const char *hop, const char *reply, int64_t now_us);
/* Lowers it. */
void delivery_trust_succeeded(DeliveryTrust *trust, const char *hop);
/* Lowers those of next hops for which the last attempt failed before `before_us`: their mail is gone, or goes another way. */
void delivery_trust_expire(DeliveryTrust *trust, int64_t before_us);
/* Lowers all: routes may have changed, and what still fails is raised by the next attempt. */
void delivery_trust_forget(DeliveryTrust *trust);
