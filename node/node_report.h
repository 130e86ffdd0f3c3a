/* node/node_report.h: what the node says of itself: its Node object, its Lease, its routes to other nodes' pods. */
#ifndef NODE_NODE_REPORT_H
#define NODE_NODE_REPORT_H

#include "node/agent_impl.h"

struct node_report;
/* Registers the node and keeps lease and status; on_ready once it is registered. */
struct node_report *node_report_start(struct agent *a);
void node_report_stop(struct node_report *r);    /* NULL ok */
/* Images changed or such: report soon. */
void node_report_changed(struct node_report *r);

#endif
