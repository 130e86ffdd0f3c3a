/* tools/head_admission.h: the flags of coracle head that choose and configure admission plugins, named as the
 * original's. */
#ifndef TOOLS_HEAD_ADMISSION_H
#define TOOLS_HEAD_ADMISSION_H

struct head_admission_flags { const char *enable, *disable, *file; };

/* Rows for the table of flags. */
#define HEAD_ADMISSION_FLAGS(f)                                                                          \
    { "enable-admission-plugins", NULL, FLAG_STRING, &(f).enable, "NAMES",                               \
      "separated by commas; beside those that are on by default" },                                      \
    { "disable-admission-plugins", NULL, FLAG_STRING, &(f).disable, "NAMES",                             \
      "separated by commas; of those that are on by default" },                                          \
    { "admission-control-config-file", NULL, FLAG_STRING, &(f).file, "FILE",                             \
      "AdmissionConfiguration of the plugins that take one" },

#endif
