/* test/api/names_test.c: checks of names, and identifiers made from random bytes. */
#include "api/names.h"
#include "api/uuid.h"
#include "test/test.h"

static char long_name[400];

static struct str letters(size_t n)
{
    memset(long_name, 'a', sizeof long_name);
    return str_make(long_name, n);
}

#define OK(check, text) CHECK(check(STR(text)) == NULL)
#define NOT(check, text) CHECK(check(STR(text)) != NULL)

TEST(dns_names)
{
    OK(name_check_subdomain, "a");
    OK(name_check_subdomain, "a.b-c.1");
    OK(name_check_subdomain, "0");
    NOT(name_check_subdomain, "");
    NOT(name_check_subdomain, "A");
    NOT(name_check_subdomain, "a..b");
    NOT(name_check_subdomain, ".a");
    NOT(name_check_subdomain, "a.");
    NOT(name_check_subdomain, "-a");
    NOT(name_check_subdomain, "a-");
    NOT(name_check_subdomain, "a-.b");
    NOT(name_check_subdomain, "a_b");
    NOT(name_check_subdomain, "a b");
    NOT(name_check_subdomain, "\xc3\xa9");
    NOT(name_check_subdomain, "a\0b");
    CHECK(name_check_subdomain(letters(253)) == NULL && name_check_subdomain(letters(254)) != NULL);
    OK(name_check_label, "my-name");
    OK(name_check_label, "123-abc");
    NOT(name_check_label, "a.b");
    NOT(name_check_label, "");
    NOT(name_check_label, "-a");
    NOT(name_check_label, "a-");
    CHECK(name_check_label(letters(63)) == NULL && name_check_label(letters(64)) != NULL);
    OK(name_check_label_1035, "abc-123");
    NOT(name_check_label_1035, "1abc");
    NOT(name_check_label_1035, "");
    NOT(name_check_label_1035, "a.b");
    OK(name_check_wildcard_subdomain, "*.example.com");
    NOT(name_check_wildcard_subdomain, "*");
    NOT(name_check_wildcard_subdomain, "*.");
    NOT(name_check_wildcard_subdomain, "a.b");
    NOT(name_check_wildcard_subdomain, "*.*.a");
    CHECK(strcmp(name_check_subdomain(STR("A")),
                 "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
                 "'.', and "
                 "must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
                 "validation is "
                 "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')") == 0);
}

TEST(labels)
{
    OK(name_check_qualified, "a");
    OK(name_check_qualified, "My.Name_1-x");
    OK(name_check_qualified, "example.com/MyName");
    NOT(name_check_qualified, "");
    NOT(name_check_qualified, "/a");
    NOT(name_check_qualified, "a/");
    NOT(name_check_qualified, "a/b/c");
    NOT(name_check_qualified, "A.com/x");
    NOT(name_check_qualified, "-a");
    NOT(name_check_qualified, "a-");
    NOT(name_check_qualified, "a b"); NOT(name_check_qualified, "ex_ample.com/a");
    CHECK(name_check_qualified(letters(63)) == NULL && name_check_qualified(letters(64)) != NULL);
    OK(name_check_label_value, "");
    OK(name_check_label_value, "A_b.c-1");
    NOT(name_check_label_value, "-");
    NOT(name_check_label_value, "a b");
    NOT(name_check_label_value, "a/b");
    NOT(name_check_label_value, "_a"); CHECK(name_check_label_value(letters(64)) != NULL);
}

TEST(other_names)
{
    OK(name_check_path_segment, "system:node");
    NOT(name_check_path_segment, ".");
    NOT(name_check_path_segment, "..");
    NOT(name_check_path_segment, "a/b");
    NOT(name_check_path_segment, "a%b");
    NOT(name_check_path_segment, "");
    OK(name_check_path_segment, "...");
    OK(name_check_env, "my.env-NAME");
    OK(name_check_env, "1 x");
    NOT(name_check_env, "a=b");
    NOT(name_check_env, "");
    NOT(name_check_env, "a\tb");
    NOT(name_check_env, "\xc3\xa9");
    OK(name_check_c_identifier, "_a1");
    NOT(name_check_c_identifier, "1a");
    NOT(name_check_c_identifier, "");
    NOT(name_check_c_identifier, "a-b");
    OK(name_check_config_key, "key.name_1-X");
    OK(name_check_config_key, ".dockerconfigjson");
    NOT(name_check_config_key, "");
    NOT(name_check_config_key, ".");
    NOT(name_check_config_key, "..");
    NOT(name_check_config_key, "..a");
    NOT(name_check_config_key, "a/b");
    NOT(name_check_config_key, "a b");
    CHECK(name_check_config_key(letters(254)) != NULL);
    OK(name_check_port, "http");
    OK(name_check_port, "h2-c");
    OK(name_check_port, "8080a");
    NOT(name_check_port, "");
    NOT(name_check_port, "8080");
    NOT(name_check_port, "-a");
    NOT(name_check_port, "a-");
    NOT(name_check_port, "a--b");
    NOT(name_check_port, "HTTP");
    NOT(name_check_port, "abcdefghijklmnop");
    OK(name_check_port, "abcdefghijklmno");
    CHECK(name_check_port_number(1) == NULL && name_check_port_number(65535) == NULL &&
          name_check_port_number(0) != NULL && name_check_port_number(65536) != NULL &&
          name_check_port_number(-1) != NULL);
}

TEST(addresses)
{
    OK(name_check_ip, "10.9.8.7");
    OK(name_check_ip, "::");
    OK(name_check_ip, "2001:db8::ffff");
    OK(name_check_ip, "::ffff:10.0.0.1");
    NOT(name_check_ip, "");
    NOT(name_check_ip, "10.9.8");
    NOT(name_check_ip, "10.9.8.256");
    NOT(name_check_ip, "010.9.8.7");
    NOT(name_check_ip, "10.9.8.7 ");
    NOT(name_check_ip, "1:2:3");
    NOT(name_check_ip, "fe80::1%eth0");
    NOT(name_check_ip, "10.0.0.1\0");
    NOT(name_check_ip, "localhost");
    OK(name_check_ipv4, "1.2.3.4");
    NOT(name_check_ipv4, "::1");
    OK(name_check_cidr, "10.9.8.0/24");
    OK(name_check_cidr, "2001:db8::/64");
    OK(name_check_cidr, "0.0.0.0/0");
    NOT(name_check_cidr, "10.9.8.0");
    NOT(name_check_cidr, "10.9.8.0/33");
    NOT(name_check_cidr, "::/129");
    NOT(name_check_cidr, "10.9.8.0/");
    NOT(name_check_cidr, "10.9.8.0/08");
    NOT(name_check_cidr, "10.9.8.0/-1");
    NOT(name_check_cidr, "/24");
    NOT(name_check_cidr, "10.9.8.0/1000");
    NOT(name_check_cidr, "10.9.8.0/2/4");
}

TEST(prefixes_of_generated_names)
{
    CHECK(name_check_generate(name_check_subdomain, STR("web-")) == NULL);
    CHECK(name_check_generate(name_check_subdomain, STR("web")) == NULL);
    CHECK(name_check_generate(name_check_subdomain, STR("-")) != NULL);
    CHECK(name_check_generate(name_check_subdomain, STR("Web-")) != NULL);
    CHECK(name_check_generate(name_check_subdomain, STR("")) != NULL);
    CHECK(name_check_generate(name_check_label, STR("a.b-")) != NULL);
    CHECK(name_check_generate(name_check_subdomain, letters(300)) != NULL);
}

TEST(checks_by_format)
{
    CHECK(name_check_find("dns1123label") == name_check_label && name_check_find("cidr") == name_check_cidr);
    CHECK(name_check_find("nope") == NULL && name_check_find(NULL) == NULL);
}

TEST(identifiers)
{
    struct arena a = ARENA_INIT;
    uint8_t bytes[16];
    char suffix[NAME_SUFFIX];

    memset(bytes, 0xff, sizeof bytes);
    CHECK_STR(uuid_text(&a, bytes), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    memset(bytes, 0, sizeof bytes);
    CHECK_STR(uuid_text(&a, bytes), "00000000-0000-4000-8000-000000000000");
    CHECK(name_check_uuid(uuid_text(&a, bytes)) == NULL);
    NOT(name_check_uuid, "00000000-0000-4000-8000-00000000000");
    NOT(name_check_uuid, "00000000-0000-4000-8000-00000000000g");
    NOT(name_check_uuid, "00000000x0000-4000-8000-000000000000");
    name_suffix_write(0, suffix);
    CHECK(memcmp(suffix, "bbbbb", 5) == 0);
    name_suffix_write(UINT64_MAX, suffix);
    CHECK(name_check_label(str_make(suffix, sizeof suffix)) == NULL);
    arena_release(&a);
}
