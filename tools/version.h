/* tools/version.h: what this build calls itself.  Clients parse CORACLE_GIT_VERSION as a semantic version
 * and decide by its major and minor numbers what the server can do: they name the Kubernetes API that is
 * served. */
#ifndef TOOLS_VERSION_H
#define TOOLS_VERSION_H

#define CORACLE_VERSION     "0.1.0"
#define CORACLE_GIT_VERSION "v1.33.0+coracle." CORACLE_VERSION

#endif
