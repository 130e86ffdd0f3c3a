/* test/api/policy_test.c: policies and bindings in the pipeline: what they cover, what they refuse and how,
 * what follows when they cannot be asked; and what is refused of them themselves. */
#include "test/api/api_rig.h"

#define GROUP    "/apis/admissionregistration.k8s.io/v1/"
#define POLICIES GROUP "validatingadmissionpolicies"
#define BINDINGS GROUP "validatingadmissionpolicybindings"
#define MAPS     "/api/v1/namespaces/default/configmaps"
#define ON_MAPS  "{'apiGroups':[''],'apiVersions':['v1'],'operations':['*'],'resources':['configmaps']}"

/* A policy with a binding of the same name; rule: of matchConstraints. */
static void policy(struct rig *r, const char *name, const char *rule, const char *spec, const char *binding)
{
    char body[4000];

    snprintf(body, sizeof body,
             "{'metadata':{'name':'%s'},'spec':{'matchConstraints':{'resourceRules':[%s]},%s}}", name, rule,
             spec);
    CALL(r, 201, "POST", POLICIES, body);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'spec':{'policyName':'%s',%s}}", name, name,
             binding);
    CALL(r, 201, "POST", BINDINGS, body);
    rig_run(r, 100);
}

static void map(struct rig *r, int want, const char *name, const char *data)
{
    char body[500];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'data':{%s}}", name, data);
    CALL(r, want, "POST", MAPS, body);
}

/* The answer to a create, with this in its message. */
static void told(struct rig *r, int status, const char *reason, const char *name, const char *data,
                 const char *part)
{
    char          body[500];
    struct answer a;

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},'data':{%s}}", name, data);
    a = call(r, "POST", MAPS, body);
    if (a.status != status || !str_is(json_path_str(a.obj, "reason"), reason) ||
        memmem(a.body.p, a.body.n, part, strlen(part)) == NULL)
        test_fail(__FILE__, __LINE__, "%s: %d %.*s", part, a.status, STR_ARG(a.body));
    answer_free(&a);
}

#define DENY "'validationActions':['Deny']"

TEST(a_rule_that_is_false_refuses)
{
    struct rig *r = rig_open();

    policy(r, "few", ON_MAPS, "'validations':[{'expression':'size(object.data) < 2'}]", DENY);
    map(r, 201, "one", "'a':'1'");
    told(r, 422, "Invalid", "two", "'a':'1','b':'2'",
         "configmaps \\\"two\\\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'few' denied "
         "request: "
         "failed expression: size(object.data) \\u003c 2");
    CALL(r, 200, "DELETE", BINDINGS "/few", NULL);
    rig_run(r, 100);
    map(r, 201, "two", "'a':'1','b':'2'");
    rig_close(r);
}

TEST(reasons_have_their_codes)
{
    struct rig *r = rig_open();

    policy(r, "p", ON_MAPS,
           "'validations':[{'expression':'object.metadata.name != "
           "\\'a\\'','reason':'Forbidden','message':'m'},"
           "{'expression':'object.metadata.name != \\'b\\'','reason':'Unauthorized'},"
           "{'expression':'object.metadata.name != \\'c\\'','reason':'RequestEntityTooLarge'}]",
           DENY);
    told(r, 403, "Forbidden", "a", "", "denied request: m");
    told(r, 401, "Unauthorized", "b", "", "failed expression");
    told(r, 413, "RequestEntityTooLarge", "c", "", "failed expression");
    map(r, 201, "d", "");
    rig_close(r);
}

TEST(rules_say_what_is_covered)
{
    struct rig *r = rig_open();

    policy(r, "other", "{'apiGroups':['apps'],'apiVersions':['v1'],'operations':['*'],'resources':['*']}",
           "'validations':[{'expression':'false'}]", DENY);
    policy(r, "updates", "{'apiGroups':['*'],'apiVersions':['*'],'operations':['UPDATE'],'resources':['*']}",
           "'validations':[{'expression':'object.data == oldObject.data'}]", DENY);
    policy(r, "named",
           "{'apiGroups':[''],'apiVersions':['v1'],'operations':['*'],'resources':['configmaps'],"
           "'resourceNames':['special']}",
           "'validations':[{'expression':'false','message':'special'}]", DENY);
    policy(r, "wide",
           "{'apiGroups':[''],'apiVersions':['v1'],'operations':['*'],'resources':['*'],'scope':'Cluster'}",
           "'validations':[{'expression':'object == null || object.metadata.name != \\'forbidden\\''}]",
           DENY);
    map(r, 201, "plain", "'a':'1'");
    told(r, 422, "Invalid", "special", "", "special");
    r->type = "application/merge-patch+json";
    CALL(r, 422, "PATCH", MAPS "/plain", "{'data':{'a':'2'}}");
    r->type = "application/merge-patch+json";
    CALL(r, 200, "PATCH", MAPS "/plain", "{'metadata':{'labels':{'a':'2'}}}");
    r->type = NULL;
    CALL(r, 422, "POST", "/api/v1/namespaces", "{'metadata':{'name':'forbidden'}}");
    CALL(r, 201, "POST", "/api/v1/namespaces", "{'metadata':{'name':'fine'}}");
    rig_close(r);
}

TEST(deletions_have_only_what_was)
{
    struct rig *r = rig_open();

    policy(r, "keep",
           "{'apiGroups':[''],'apiVersions':['v1'],'operations':['DELETE'],'resources':['configmaps']}",
           "'validations':[{'expression':'object == null && !has(oldObject.data) && request.operation == "
           "\\'DELETE\\' && request.name == oldObject.metadata.name'}]",
           DENY);
    map(r, 201, "empty", "");
    map(r, 201, "full", "'a':'1'");
    CALL(r, 422, "DELETE", MAPS "/full", NULL);
    CALL(r, 200, "DELETE", MAPS "/empty", NULL);
    rig_close(r);
}

TEST(what_cannot_be_evaluated_is_decided_by_the_failure_policy)
{
    struct rig *r = rig_open();

    policy(r, "fails", ON_MAPS,
           "'matchConditions':[{'name':'c','expression':'object.metadata.name == \\'x\\''}],"
           "'validations':[{'expression':'object.nothing.there'}]", DENY);
    policy(r, "ignores", ON_MAPS,
           "'failurePolicy':'Ignore','validations':[{'expression':'object.nothing.there'}]", DENY);
    policy(r, "costs", ON_MAPS,
           "'matchConditions':[{'name':'c','expression':'object.metadata.name == \\'y\\''}],"
           "'validations':[{'expression':'lists.range(100000).all(a, lists.range(100000).all(b, a + b >= "
           "0))'}]",
           DENY);
    policy(r, "condition", ON_MAPS,
           "'matchConditions':[{'name':'bad','expression':'object.metadata.name == \\'z\\' ? object.no == "
           "1 : false'}],"
           "'validations':[{'expression':'true'}]",
           DENY);
    told(r, 422, "Invalid", "x", "",
         "expression 'object.nothing.there' resulted in error: no such key: nothing");
    told(r, 422, "Invalid", "y", "", "operation cancelled: actual cost limit exceeded");
    told(r, 422, "Invalid", "z", "", "expression of matchCondition 'bad' resulted in error: no such key: no");
    map(r, 201, "w", "");
    rig_close(r);
}

TEST(variables_are_evaluated_when_used)
{
    struct rig *r = rig_open();

    policy(
        r, "v", ON_MAPS,
        "'variables':[{'name':'bad','expression':'1 / 0'},{'name':'n','expression':'size(object.data)'},"
        "{'name':'twice','expression':'variables.n * 2'}],"
        "'validations':[{'expression':'variables.twice < 5','messageExpression':'string(variables.twice)'},"
        "{'expression':'object.metadata.name != \\'q\\' || variables.bad == 1'}]",
        DENY);
    map(r, 201, "two", "'a':'1','b':'2'");
    told(r, 422, "Invalid", "three", "'a':'1','b':'2','c':'3'", "denied request: 6");
    told(r, 422, "Invalid", "q", "'a':'1'",
         "composited variable \\\"bad\\\" fails to evaluate: division by zero");
    rig_close(r);
}

TEST(parameters_by_name_and_by_selector)
{
    struct rig *r = rig_open();

    map(r, 201, "small", "'max':'1'");
    CALL(r, 201, "POST", MAPS, "{'metadata':{'name':'l1','labels':{'limit':'yes'}},'data':{'max':'2'}}");
    CALL(r, 201, "POST", MAPS, "{'metadata':{'name':'l2','labels':{'limit':'yes'}},'data':{'max':'3'}}");
    policy(r, "named", ON_MAPS,
           "'paramKind':{'apiVersion':'v1','kind':'ConfigMap'},'matchConditions':[{'name':'m','expression':"
           "'object.metadata.name.startsWith(\\'n\\')'}],"
           "'validations':[{'expression':'size(object.data) <= int(params.data.max)'}]",
           DENY ",'paramRef':{'name':'small','namespace':'default','parameterNotFoundAction':'Deny'}");
    policy(r, "chosen", ON_MAPS,
           "'paramKind':{'apiVersion':'v1','kind':'ConfigMap'},'matchConditions':[{'name':'m','expression':"
           "'object.metadata.name.startsWith(\\'c\\')'}],"
           "'validations':[{'expression':'size(object.data) <= int(params.data.max)','messageExpression':"
           "'params.metadata.name'}]",
           DENY ",'paramRef':{'selector':{'matchLabels':{'limit':'yes'}},'parameterNotFoundAction':'Allow'}");
    map(r, 201, "n1", "'a':'1'");
    told(r, 422, "Invalid", "n2", "'a':'1','b':'1'", "'named'");
    map(r, 201, "c2", "'a':'1','b':'1'");
    told(r, 422, "Invalid", "c3", "'a':'1','b':'1','c':'1'", "denied request: l1");
    rig_close(r);
}

TEST(parameters_that_are_missing)
{
    struct rig *r = rig_open();

    policy(r, "allow", ON_MAPS,
           "'paramKind':{'apiVersion':'v1','kind':'Secret'},'validations':[{'expression':'false'}]",
           DENY ",'paramRef':{'name':'none','parameterNotFoundAction':'Allow'}");
    map(r, 201, "a", "");
    policy(r, "deny", ON_MAPS,
           "'paramKind':{'apiVersion':'v1','kind':'Secret'},'validations':[{'expression':'true'}]",
           DENY ",'paramRef':{'name':'none','parameterNotFoundAction':'Deny'}");
    told(r, 422, "Invalid", "b", "", "no params found for policy binding");
    rig_close(r);
}

TEST(warnings_let_it_pass)
{
    struct rig   *r = rig_open();
    struct answer a;

    policy(r, "w", ON_MAPS, "'validations':[{'expression':'false','message':'tut tut'}]",
           "'validationActions':['Warn','Audit']");
    a = call(r, "POST", MAPS, "{'metadata':{'name':'a'}}");
    CHECK_INT(a.status, 201);
    answer_free(&a);
    rig_close(r);
}

TEST(policies_have_no_say_about_policies)
{
    struct rig *r = rig_open();

    policy(r, "all", "{'apiGroups':['*'],'apiVersions':['*'],'operations':['*'],'resources':['*/*']}",
           "'validations':[{'expression':'false'}]", DENY);
    map(r, 422, "a", "");
    CALL(r, 200, "DELETE", BINDINGS "/all", NULL);
    CALL(r, 200, "DELETE", POLICIES "/all", NULL);
    rig_run(r, 100);
    map(r, 201, "a", "");
    rig_close(r);
}

TEST(what_does_not_compile_is_not_stored)
{
    static const char *const bad[] = {
        "'validations':[{'expression':'object.'}]", "'validations':[{'expression':'1'}]",
        "'validations':[{'expression':'params.x'}]", "'validations':[{'expression':'variables.x'}]",
        "'validations':[{'expression':'true','messageExpression':'1'}]",
        "'validations':[{'expression':'true'}],'variables':[{'name':'a','expression':'variables.a'}]",
        "'validations':[{'expression':'true'}],'matchConditions':[{'name':'a','expression':'\\'a\\''}]",
        "'auditAnnotations':[{'key':'a','valueExpression':'1'}]",
        "'validations':[{'expression':'\\'a\\'.matches(\\'(\\')'}]",
    };
    struct rig *r = rig_open();
    char        body[2000];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(body, sizeof body,
                 "{'metadata':{'name':'p'},'spec':{'matchConstraints':{'resourceRules':[" ON_MAPS "]},%s}}",
                 bad[i]);
        CALL(r, 422, "POST", POLICIES, body);
    }
    CALL(r, 422, "POST", GROUP "validatingwebhookconfigurations",
         "{'metadata':{'name':'w'},'webhooks':[{'name':'a.example.com','clientConfig':{'url':'https://a/'},"
         "'sideEffects':'None','admissionReviewVersions':['v1'],'matchConditions':[{'name':'c','expression':"
         "'namespaceObject == null'}]}]}");
    rig_close(r);
}
