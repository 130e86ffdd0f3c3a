/* test/api/conform_test.c: conforming, defaulting and validating; what is wrong is told in the words that clients know. */
#include "test/api/api_fixture.h"

struct run { struct arena a; struct causes warnings, causes; struct errbuf err; struct json *obj; int rc; };

static void run(struct run *r, const char *group, const char *name, const char *text)
{
    const struct schema_kind *k = kind(group, name);

    *r = (struct run){ .a = ARENA_INIT };
    causes_init(&r->warnings, &r->a);
    causes_init(&r->causes, &r->a);
    r->obj = parse(&r->a, text);
    r->rc = schema_conform(k, r->obj, &r->a, &r->warnings, &r->err);
    if (r->rc == 0) {
        schema_default(k->type, r->obj, &r->a);
        schema_validate(k->type, r->obj, NULL, &r->causes);
    }
}

static void done(struct run *r) { arena_release(&r->a); }

/* All causes as "field: message" lines. */
static struct str lines(struct run *r, const struct causes *c)
{
    struct buf b = BUF_INIT;
    struct str s;

    for (const struct cause *x = c->first; x != NULL; x = x->next)
        buf_fmt(&b, "%s%.*s%s%.*s", b.n > 0 ? "\n" : "", STR_ARG(x->field), x->field.n > 0 ? ": " : "", STR_ARG(x->message));
    s = arena_str(&r->a, buf_str(&b));
    buf_release(&b);
    return s;
}

TEST(wrong_types_name_the_place)
{
    static const struct { const char *text, *error; } bad[] = {
        { "{'spec':{'replicas':'3'}}", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal "
          "string into Go struct field DeploymentSpec.spec.replicas of type int32" },
        { "{'spec':{'replicas':1.5}}", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal "
          "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32" },
        { "{'spec':{'replicas':3000000000}}", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot "
          "unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32" },
        { "{'spec':{'template':{'spec':{'containers':[{'env':[{'value':1}]}]}}}}", "Deployment in version \"v1\" cannot be handled "
          "as a Deployment: json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value "
          "of type string" },
        { "{'metadata':{'labels':{'a':true}}}", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot "
          "unmarshal bool into Go struct field ObjectMeta.metadata.labels.a of type string" },
        { "{'metadata':{'labels':['a']}}", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal "
          "array into Go struct field ObjectMeta.metadata.labels of type map" },
        { "{'spec':[]}", "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal array into Go "
          "struct field Deployment.spec of type DeploymentSpec" },
        { "{'metadata':{'creationTimestamp':'yesterday'}}", "Deployment in version \"v1\" cannot be handled as a Deployment: "
          "metadata.creationTimestamp: not a time as RFC 3339 writes it: \"yesterday\"" },
        { "[]", "Deployment in version \"v1\" cannot be handled as a Deployment: json: an object is expected" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct run r;

        run(&r, "apps", "Deployment", bad[i].text);
        CHECK_INT(r.rc, E_INVALID);
        CHECK_STR(str_of(r.err.s), bad[i].error);
        done(&r);
    }
}

TEST(other_values_that_are_no_such_thing)
{
    static const struct { const char *name, *text; } bad[] = {
        { "Secret", "{'data':{'a':'!!!!'}}" }, { "Secret", "{'data':{'a':'YQ='}}" }, { "Secret", "{'data':{'a':'===='}}" },
        { "Pod", "{'spec':{'containers':[{'resources':{'limits':{'cpu':'many'}}}]}}" },
        { "Pod", "{'spec':{'containers':[{'resources':{'limits':{'cpu':{}}}}]}}" },
        { "Pod", "{'spec':{'containers':[{'resources':{'limits':{'cpu':'1e99999999999'}}}]}}" },
        { "Pod", "{'spec':{'containers':[{'livenessProbe':{'httpGet':{'port':99999999999}}}]}}" },
        { "Pod", "{'spec':{'containers':[null,7]}}" }, { "Pod", "{'spec':{'activeDeadlineSeconds':true}}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct run r;

        run(&r, "", bad[i].name, bad[i].text);
        CHECK_INT(r.rc, E_INVALID);
        done(&r);
    }
}

TEST(unknown_and_duplicate_fields_are_told_and_taken_out)
{
    struct run r;

    run(&r, "", "ConfigMap", "{'metadata':{'name':'x','nmae':'y','name':'z'},'data':{'a':'1','a':'2'},'foo':{'a':[1]},'bar':null}");
    CHECK_INT(r.rc, 0);
    CHECK_STR(lines(&r, &r.warnings), "duplicate field \"metadata.name\"\nunknown field \"metadata.nmae\"\n"
                                      "duplicate field \"data.a\"\nunknown field \"foo\"\nunknown field \"bar\"");
    CHECK_JSON(&r.a, r.obj, "{'metadata':{'name':'z'},'data':{'a':'2'}}");
    done(&r);

    run(&r, "", "Pod", "{'spec':{'containers':[{'name':'a','image':'i'},{'name':'b','image':'i','x':1}]}}");
    CHECK_STR(lines(&r, &r.warnings), "unknown field \"spec.containers[1].x\"");
    done(&r);
}

TEST(warnings_are_bounded)
{
    struct run r;
    struct buf b = BUF_INIT;

    buf_z(&b, "{'data':{'a':'b'}");
    for (int i = 0; i < 5000; i++)
        buf_fmt(&b, ",'f%d':1", i);
    buf_z(&b, "}");
    buf_char(&b, '\0');
    run(&r, "", "ConfigMap", b.p);
    CHECK_INT(r.warnings.n, 101);
    CHECK_INT(r.obj->n, 1);
    CHECK(r.obj->last == r.obj->first);
    done(&r);
    buf_release(&b);
}

TEST(nulls_vanish_and_texts_become_canonical)
{
    struct run r;

    run(&r, "", "ConfigMap", "{'metadata':{'creationTimestamp':null,'name':'x'},'data':null,'immutable':null}");
    CHECK_JSON(&r.a, r.obj, "{'metadata':{'name':'x'}}");
    done(&r);
    run(&r, "", "Node", "{'metadata':{'name':'n','creationTimestamp':'2024-01-02T03:04:05.678+02:00'},"
                        "'status':{'capacity':{'cpu':4,'memory':'1048576Ki','x':'1000m'}}}");
    CHECK_STR(json_path_str(r.obj, "metadata.creationTimestamp"), "2024-01-02T01:04:05Z");
    CHECK_JSON(&r.a, json_path(r.obj, "status.capacity"), "{'cpu':'4','memory':'1Gi','x':'1'}");
    done(&r);
    run(&r, "coordination.k8s.io", "Lease", "{'spec':{'renewTime':'2024-01-02T03:04:05.1234567Z'}}");
    CHECK_STR(json_path_str(r.obj, "spec.renewTime"), "2024-01-02T03:04:05.123456Z");
    done(&r);
}

TEST(defaults_of_a_pod)
{
    struct run r;

    run(&r, "", "Pod", "{'metadata':{'name':'p'},'spec':{'volumes':[{'name':'v','secret':{'secretName':'s'}}],'containers':[{'name':'a',"
                       "'image':'i','ports':[{'containerPort':80}],'livenessProbe':{'httpGet':{'port':80}}}]}}");
    CHECK_INT(r.rc, 0);
    CHECK_STR(lines(&r, &r.causes), "");
    CHECK_JSON(&r.a, json_path(r.obj, "spec"), "{'volumes':[{'name':'v','secret':{'secretName':'s','defaultMode':420}}],"
        "'containers':[{'name':'a','image':'i','ports':[{'containerPort':80,'protocol':'TCP'}],'livenessProbe':{'httpGet':{'port':80,"
        "'path':'/','scheme':'HTTP'},'timeoutSeconds':1,'periodSeconds':10,'successThreshold':1,'failureThreshold':3},'resources':{},"
        "'terminationMessagePath':'/dev/termination-log','terminationMessagePolicy':'File'}],'restartPolicy':'Always',"
        "'terminationGracePeriodSeconds':30,'dnsPolicy':'ClusterFirst','securityContext':{},'schedulerName':'default-scheduler'}");
    CHECK_JSON(&r.a, json_path(r.obj, "status"), "{'phase':'Pending'}");
    done(&r);
}

TEST(defaults_twice_change_nothing)
{
    struct run r;
    struct str once;

    run(&r, "", "Pod", pod_2k);
    once = text_of(&r.a, r.obj);
    schema_default(kind("", "Pod")->type, r.obj, &r.a);
    CHECK(str_eq(once, text_of(&r.a, r.obj)));
    done(&r);
}

TEST(defaults_of_a_deployment)
{
    struct run r;

    run(&r, "apps", "Deployment", "{'spec':{'selector':{'matchLabels':{'a':'b'}},'replicas':0,'template':{'spec':{'containers':"
                                  "[{'name':'a','image':'i'}]}}}}");
    CHECK_STR(lines(&r, &r.causes), "");
    CHECK_INT(json_path_i64(r.obj, "spec.replicas", -1), 0);
    CHECK_STR(json_path_str(r.obj, "spec.strategy.type"), "RollingUpdate");
    CHECK_INT(json_path_i64(r.obj, "spec.revisionHistoryLimit", -1), 10);
    CHECK_INT(json_path_i64(r.obj, "spec.progressDeadlineSeconds", -1), 600);
    CHECK_STR(json_path_str(r.obj, "spec.template.spec.restartPolicy"), "Always");
    CHECK(json_path(r.obj, "spec.template.spec.containers.0.resources") != NULL);
    done(&r);
}

TEST(what_is_wrong_is_said_field_by_field)
{
    struct run r;

    run(&r, "", "Pod", "{'spec':{'restartPolicy':'Sometimes','activeDeadlineSeconds':0,'containers':[{'name':'A','image':'i'},"
                       "{'image':'','ports':[{'containerPort':70000}]},{'name':'A','image':'i','livenessProbe':{'tcpSocket':{'port':'p-'}}}]}}");
    CHECK_STR(lines(&r, &r.causes),
        "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"\n"
        "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive\n"
        "spec.containers[2].name: Duplicate value: \"A\"\n"
        "spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
        "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')\n"
        "spec.containers[1].image: Required value\n"
        "spec.containers[1].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive\n"
        "spec.containers[1].name: Required value\n"
        "spec.containers[2].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
        "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')\n"
        "spec.containers[2].livenessProbe.tcpSocket.port: Invalid value: \"p-\": must not begin or end with a hyphen");
    done(&r);

    run(&r, "apps", "Deployment", "{}");
    CHECK_STR(lines(&r, &r.causes), "spec.selector: Required value\nspec.template: Required value");
    done(&r);
    run(&r, "", "Service", "{'spec':{'ports':[{'port':80},{'port':80,'protocol':'UDP'},{'port':80}]}}");
    CHECK_STR(lines(&r, &r.causes), "spec.ports[2]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}");
    done(&r);
}

TEST(long_lists_with_duplicates_are_found_fast)
{
    struct run r;
    struct buf b = BUF_INIT;
    double t;

    buf_z(&b, "{'spec':{'volumes':[");
    for (int i = 0; i < 20000; i++)
        buf_fmt(&b, "{'name':'v%d'},", i % 19999);
    buf_z(&b, "{'name':'last'}]}}");
    buf_char(&b, '\0');
    t = seconds();
    run(&r, "", "Pod", b.p);
    CHECK(seconds() - t < 5);
    CHECK_INT(r.causes.n, 2);                    /* and the missing containers */
    CHECK_STR(r.causes.first->field, "spec.volumes[19999].name");
    done(&r);
    buf_release(&b);
}

TEST(immutable_fields)
{
    const struct schema_type *t = kind("apps", "Deployment")->type;
    struct run r;
    struct json *old;

    run(&r, "apps", "Deployment", "{'spec':{'selector':{'matchLabels':{'a':'c'}}}}");
    old = parse(&r.a, "{'spec':{'selector':{'matchLabels':{'a':'b'}}}}");
    causes_init(&r.causes, &r.a);
    schema_validate_update(t, old, r.obj, NULL, &r.causes);
    CHECK_STR(lines(&r, &r.causes), "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable");
    causes_init(&r.causes, &r.a);
    schema_validate_update(t, r.obj, json_copy(&r.a, r.obj), NULL, &r.causes);
    CHECK_INT(r.causes.n, 0);
    done(&r);
}

/* Shows the figures; only a gross slip (10x) fails. */
TEST(speed_of_a_2k_pod)
{
    const struct schema_kind *k = kind("", "Pod");
    struct arena a = ARENA_INIT, b = ARENA_INIT;
    struct json *obj = parse(&a, pod_2k);
    double t[4];
    struct causes causes;
    int n = 20000;

    schema_default(k->type, obj, &a);
    t[0] = seconds();
    for (int i = 0; i < n; i++)
        CHECK_INT(schema_conform(k, obj, &a, NULL, NULL), 0);
    t[1] = seconds();
    for (int i = 0; i < n; i++)
        schema_default(k->type, obj, &a);
    t[2] = seconds();
    for (int i = 0; i < n; i++) {
        causes_init(&causes, &b);
        schema_validate(k->type, obj, NULL, &causes);
        CHECK_INT(causes.n, 0);
    }
    t[3] = seconds();
    printf("pod of %zu bytes: conform %.2f us, default %.2f us, validate %.2f us\n", sizeof(pod_2k), (t[1] - t[0]) / n * 1e6,
           (t[2] - t[1]) / n * 1e6, (t[3] - t[2]) / n * 1e6);
    CHECK((t[3] - t[0]) / n * 1e6 < 300);
    arena_release(&a);
    arena_release(&b);
}
