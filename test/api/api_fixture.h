/* test/api/api_fixture.h: what the tests of schema-driven code share: JSON from a literal, JSON as text, a stopwatch.
 * In literals single quotes stand for double ones. */
#ifndef TEST_API_FIXTURE_H
#define TEST_API_FIXTURE_H

#include <stdlib.h>
#include <time.h>
#include "api/json.h"
#include "api/schema.h"
#include "test/test.h"

static inline struct str unquote(struct arena *a, const char *text)
{
    char *copy = arena_cstr(a, str_of(text));

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return str_of(copy);
}

static inline struct json *parse(struct arena *a, const char *text)
{
    struct json_error err;
    struct json *j = NULL;

    if (json_parse(a, unquote(a, text), &j, &err) < 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
        j = json_null(a);
    }
    return j;
}

static inline struct str text_of(struct arena *a, const struct json *j)
{
    struct buf b = BUF_INIT;
    struct str s;

    json_write(&b, j);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* Whether a tree is what the literal says; shows both when not. */
#define CHECK_JSON(a, j, literal)                                                                          \
    do {                                                                                                   \
        const struct json *is_ = (j), *want_ = parse((a), (literal));                                      \
        if (is_ == NULL || !json_equal(is_, want_))                                                        \
            test_fail(__FILE__, __LINE__, "%s is\n  %.*s\nnot\n  %.*s", #j,                                \
                      STR_ARG(is_ != NULL ? text_of((a), is_) : STR("NULL")), STR_ARG(text_of((a), want_))); \
    } while (0)

static inline const struct schema_kind *kind(const char *group, const char *name)
{
    const struct schema_kind *k = schema_kind_find(str_of(group), STR("v1"), str_of(name));

    if (k == NULL) {
        test_fail(__FILE__, __LINE__, "no kind %s", name);
        abort();
    }
    return k;
}

static inline double seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}


/* A pod as a ReplicaSet makes them, about 2 kB. */
static const char pod_2k[] =
"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web-6d4cf56db6-abcde','generateName':'web-6d4cf56db6-','namespace':'default',"
"'labels':{'app':'web','pod-template-hash':'6d4cf56db6','tier':'front'},'annotations':{'example.com/checksum':'0123456789abcdef'},"
"'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web-6d4cf56db6','uid':'11111111-2222-3333-4444-555555555555',"
"'controller':true,'blockOwnerDeletion':true}],'creationTimestamp':'2024-05-01T10:00:00Z'},"
"'spec':{'volumes':[{'name':'config','configMap':{'name':'web-config','items':[{'key':'a','path':'a.conf'}]}},"
"{'name':'scratch','emptyDir':{}},{'name':'creds','secret':{'secretName':'web-creds'}}],"
"'containers':[{'name':'web','image':'registry.example.com/web:1.2.3','command':['/bin/web'],'args':['--port','8080','--verbose'],"
"'ports':[{'name':'http','containerPort':8080,'protocol':'TCP'},{'name':'metrics','containerPort':9090,'protocol':'TCP'}],"
"'env':[{'name':'POD_NAME','valueFrom':{'fieldRef':{'apiVersion':'v1','fieldPath':'metadata.name'}}},{'name':'LOG','value':'info'},"
"{'name':'PASSWORD','valueFrom':{'secretKeyRef':{'name':'web-creds','key':'password'}}}],"
"'resources':{'limits':{'cpu':'500m','memory':'256Mi'},'requests':{'cpu':'100m','memory':'128Mi'}},"
"'volumeMounts':[{'name':'config','mountPath':'/etc/web'},{'name':'scratch','mountPath':'/tmp'},{'name':'creds','mountPath':'/creds','readOnly':true}],"
"'livenessProbe':{'httpGet':{'path':'/healthz','port':8080,'scheme':'HTTP'},'periodSeconds':10,'timeoutSeconds':1,'successThreshold':1,'failureThreshold':3},"
"'readinessProbe':{'httpGet':{'path':'/readyz','port':'http','scheme':'HTTP'},'periodSeconds':5,'timeoutSeconds':1,'successThreshold':1,'failureThreshold':3},"
"'terminationMessagePath':'/dev/termination-log','terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}],"
"'restartPolicy':'Always','terminationGracePeriodSeconds':30,'dnsPolicy':'ClusterFirst','serviceAccountName':'default','nodeName':'node-1',"
"'securityContext':{},'schedulerName':'default-scheduler','tolerations':[{'key':'node.kubernetes.io/not-ready','operator':'Exists','effect':'NoExecute','tolerationSeconds':300}],"
"'priority':0,'enableServiceLinks':true,'preemptionPolicy':'PreemptLowerPriority'},'status':{'phase':'Pending','qosClass':'Burstable'}}";

#endif
