/* test/node/env_test.c: environment and command line, through the whole way from the API to the runtime. */
#include "test/node/agent_rig.h"

/* The environment of a pod's only container with this spec ("K=V;"), or why it waits. */
static void check_env(const char *file, int line, struct node_rig *n, const char *container, const char *want)
{
    static unsigned serial;
    char spec[4096], name[16], got[1024];
    struct fake_container *c;

    snprintf(name, sizeof name, "e%u", ++serial);
    snprintf(spec, sizeof spec, "'containers':[{'name':'%s','image':'i',%s}]", name, container);
    pod_create(n, name, spec);
    rig_run(n->r, 100);
    c = fake_run(n->f, name);
    if (c != NULL) {
        snprintf(got, sizeof got, "%s", c->env);
    } else {
        struct answer a = pod_get(n, name);
        snprintf(got, sizeof got, "%.*s",
                 STR_ARG(json_path_str(a.obj, "status." CT("state.waiting.message"))));
        answer_free(&a);
    }
    if (strcmp(got, want) != 0)
        test_fail(file, line, "%s: \"%s\", not \"%s\"", container, got, want);
}
#define CHECK_ENV(container, want) check_env(__FILE__, __LINE__, n, container, want)

TEST(variables_refer_to_those_before_them)
{
    struct node_rig *n = node_rig_open();

    CHECK_ENV(
        "'env':[{'name':'A','value':'1'},{'name':'B','value':'$(A)2'},{'name':'C','value':'$(D)'},{'name':'D','value':'$(B)$(C)'}]",
        "A=1;B=12;C=$(D);D=12$(D);");
    CHECK_ENV("'env':[{'name':'A','value':'1'},{'name':'B','value':'$$(A) $$ $ $x $(A'}]",
              "A=1;B=$(A) $ $ $x $(A;");
    CHECK_ENV("'env':[{'name':'A','value':'1'},{'name':'A','value':'$(A)2'}]", "A=12;");
    CHECK_ENV("'env':[{'name':'A'},{'name':'B','value':'$()x'},{'name':'C','value':'$(A)'}]",
              "A=;B=$()x;C=;");
    node_rig_close(n);
}

TEST(the_downward_api)
{
    struct node_rig *n = node_rig_open();

    CHECK_ENV(
        "'env':[{'name':'L','valueFrom':{'fieldRef':{'fieldPath':'metadata.labels[\\u0027app\\u0027]'}}},"
        "{'name':'N','valueFrom':{'fieldRef':{'fieldPath':'metadata.namespace'}}},"
        "{'name':'H','valueFrom':{'fieldRef':{'fieldPath':'status.hostIP'}}},"
        "{'name':'I','valueFrom':{'fieldRef':{'fieldPath':'status.podIP'}}},"
        "{'name':'S','valueFrom':{'fieldRef':{'fieldPath':'spec.serviceAccountName'}}},"
        "{'name':'O','valueFrom':{'fieldRef':{'fieldPath':'spec.nodeName'}}}]",
        "L=x;N=default;H=192.168.1.1;I=10.1.0.1;S=default;O=n1;");
    node_rig_close(n);
}

TEST(resources_with_divisors)
{
    struct node_rig *n = node_rig_open();
    const char *res = "'resources':{'limits':{'cpu':'1500m','memory':'64Mi'},'requests':{'cpu':'250m'}}";
    char spec[1024];

#define RES(resource, divisor)                                                                               \
    "{'name':'X','valueFrom':{'resourceFieldRef':{'resource':'" resource "'" divisor "}}}"
    snprintf(spec, sizeof spec, "%s,'env':[%s]", res, RES("limits.cpu", ""));
    CHECK_ENV(spec, "X=2;");
    snprintf(spec, sizeof spec, "%s,'env':[%s]", res, RES("requests.cpu", ",'divisor':'1m'"));
    CHECK_ENV(spec, "X=250;");
    snprintf(spec, sizeof spec, "%s,'env':[%s]", res, RES("limits.memory", ",'divisor':'1Mi'"));
    CHECK_ENV(spec, "X=64;");
    snprintf(spec, sizeof spec, "'env':[%s]", RES("limits.memory", ""));
    CHECK_ENV(spec, "X=1073741824;");            /* what the node has */
    node_rig_close(n);
}

TEST(whole_maps_and_single_keys)
{
    struct node_rig *n = node_rig_open();

    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/configmaps",
         "{'metadata':{'name':'m'},'data':{'a':'1','b.c':'2'}}");
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/secrets",
         "{'metadata':{'name':'s'},'data':{'k':'c2Vj','nul':'YQBi'}}");
    CHECK_ENV(
        "'envFrom':[{'configMapRef':{'name':'m'}},{'prefix':'S_','secretRef':{'name':'s','optional':true}},"
        "{'configMapRef':{'name':'none','optional':true}}],'env':[{'name':'a','value':'mine'}]",
        "environment variable S_nul contains a NUL byte");
    CHECK_ENV(
        "'envFrom':[{'configMapRef':{'name':'m'}},{'configMapRef':{'name':'none','optional':true}}],'env':[{'name':'a','value':'$(b.c)!'}]",
        "a=2!;b.c=2;");
    CHECK_ENV(
        "'env':[{'name':'K','valueFrom':{'secretKeyRef':{'name':'s','key':'k'}}},{'name':'Z','value':'$(K)'}]",
        "K=sec;Z=sec;");
    CHECK_ENV(
        "'env':[{'name':'K','valueFrom':{'secretKeyRef':{'name':'s','key':'no','optional':true}}},{'name':'Z','value':'z'}]",
        "Z=z;");
    CHECK_ENV("'env':[{'name':'K','valueFrom':{'secretKeyRef':{'name':'s','key':'no'}}}]",
              "couldn't find key no in Secret default/s");
    CHECK_ENV("'envFrom':[{'secretRef':{'name':'none'}}]", "secret \"none\" not found");
    node_rig_close(n);
}

TEST(services_of_the_namespace)
{
    struct node_rig *n = node_rig_open();
    const char *web = "WEB_1_SERVICE_HOST=10.96.0.77;WEB_1_SERVICE_PORT=80;WEB_1_PORT=tcp://10.96.0.77:80;"
                      "WEB_1_SERVICE_PORT_HTTP_X=80;WEB_1_PORT_80_TCP=tcp://10.96.0.77:80;WEB_1_PORT_80_TCP_PROTO=tcp;"
                      "WEB_1_PORT_80_TCP_PORT=80;WEB_1_PORT_80_TCP_ADDR=10.96.0.77;WEB_1_SERVICE_PORT_DNS=53;"
                      "WEB_1_PORT_53_UDP=udp://10.96.0.77:53;WEB_1_PORT_53_UDP_PROTO=udp;WEB_1_PORT_53_UDP_PORT=53;"
                      "WEB_1_PORT_53_UDP_ADDR=10.96.0.77;";
    char want[1024];

    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/services",
         "{'metadata':{'name':'none'},'spec':{'clusterIP':'None','ports':[{'port':80}]}}");
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/services",
         "{'metadata':{'name':'web-1'},'spec':{'clusterIP':'10.96.0.77','ports':["
         "{'name':'http-x','port':80},{'name':'dns','port':53,'protocol':'UDP'}]}}");
    snprintf(want, sizeof want, "%sX=at 10.96.0.77;", web);
    CHECK_ENV("'env':[{'name':'X','value':'at $(WEB_1_SERVICE_HOST)'}]", want);
    CALL(n->r, 200, "DELETE", "/api/v1/namespaces/default/services/web-1", NULL);
    CHECK_ENV("'env':[{'name':'X','value':'1'}]", "X=1;");
    /* The API's own is there whatever the pod wants; another of that name in the namespace only with links. */
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/services",
         "{'metadata':{'name':'kubernetes'},'spec':{'clusterIP':'10.96.0.99','ports':[{'port':443}]}}");
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/services",
         "{'metadata':{'name':'web'},'spec':{'clusterIP':'10.96.0.78','ports':[{'port':80}]}}");
    rig_run(n->r, 100);
    pod_create(n, "no-links", "'enableServiceLinks':false,'containers':[{'name':'no-links','image':'i'}]");
    rig_run(n->r, 100);
    CHECK(str_starts(str_of(fake_run(n->f, "no-links")->env), STR("KUBERNETES_SERVICE_HOST=10.96.0.99;KUBERNETES_SERVICE_PORT=443;")));
    CHECK(strstr(fake_run(n->f, "no-links")->env, "WEB") == NULL);
    node_rig_close(n);
}
