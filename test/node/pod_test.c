/* test/node/pod_test.c: a pod's life against the real API, over a runtime that does what the test says, in
 * virtual time. */
#include "test/node/agent_rig.h"

#define ONE "'containers':[{'name':'c','image':'i:1'}]"

TEST(a_pod_runs_step_by_step)
{
    struct node_rig *n = node_rig_open();

    n->f->hold[F_SANDBOX] = n->f->hold[F_IMAGE] = n->f->hold[F_CREATE] = n->f->hold[F_START] = true;
    pod_create(n, "p", ONE);
    rig_run(n->r, 20);
    CHECK_POD(n, "p", "phase", "Pending");
    CHECK_POD(n, "p", CT("state.waiting.reason"), "ContainerCreating");
    CHECK_POD(n, "p", "hostIP", "192.168.1.1");
    CHECK_COND(n, "p", "PodReadyToStartContainers", "status", "False");
    CHECK_COND(n, "p", "Initialized", "status", "True");
    CHECK_COND(n, "p", "Ready", "reason", "ContainersNotReady");
    CHECK_COND(n, "p", "Ready", "message", "containers with unready status: [c]");
    let_go(n, F_SANDBOX);
    CHECK_POD(n, "p", "podIP", "10.1.0.1");
    CHECK_POD(n, "p", "podIPs", "[{\"ip\":\"10.1.0.1\"}]");
    CHECK_COND(n, "p", "PodReadyToStartContainers", "status", "True");
    let_go(n, F_IMAGE);
    let_go(n, F_CREATE);
    CHECK_POD(n, "p", "phase", "Pending");
    CHECK_POD(n, "p", CT("state.waiting.reason"), "ContainerCreating");
    let_go(n, F_START);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("ready"), "true");
    CHECK_POD(n, "p", CT("started"), "true");
    CHECK_POD(n, "p", CT("restartCount"), "0");
    CHECK_POD(n, "p", CT("lastState"), "{}");
    CHECK_POD(n, "p", CT("state.waiting"), "");
    CHECK_POD(n, "p", CT("containerID"), "crun://ct-1");
    CHECK_COND(n, "p", "Ready", "status", "True");
    CHECK_COND(n, "p", "Ready", "reason", "");
    CHECK_COND(n, "p", "Ready", "message", "");
    CHECK_COND(n, "p", "PodScheduled", "status", "");
    CHECK_INT(n_events(n, "Started", "Started container c"), 1);
    pod_delete(n, "p", -1);
    rig_run(n->r, 100);
    CHECK_INT(n->f->n_signals, 1);
    CHECK_INT(n->f->signals[0], 15);
    CHECK(pod_gone(n, "p"));
    CHECK(fake_sandbox(n->f, "sandbox-1") == NULL);
    CHECK_INT(n->agent->pods.n, 0);
    node_rig_close(n);
}

TEST(crashes_wait_longer_each_time_and_are_forgiven)
{
    static const unsigned pauses[] = { 0, 10, 20, 40, 80, 160, 300, 300 };
    static const char *const texts[] = { "",
                                         "back-off 10s ",
                                         "back-off 20s ",
                                         "back-off 40s ",
                                         "back-off 1m20s ",
                                         "back-off 2m40s ",
                                         "back-off 5m0s ",
                                         "back-off 5m0s " };
    struct node_rig *n = node_rig_open();
    struct answer a;

    pod_create(n, "p", ONE);
    rig_run(n->r, 50);
    for (unsigned i = 0; i < ARRAY_LEN(pauses); i++) {
        ct_end(n, "c", 3);
        if (pauses[i] > 0) {
            CHECK_POD(n, "p", CT("state.waiting.reason"), "CrashLoopBackOff");
            CHECK_POD(n, "p", CT("lastState.terminated.exitCode"), "3");
            CHECK_POD(n, "p", CT("lastState.terminated.reason"), "Error");
            CHECK_POD(n, "p", "phase", "Running");
            CHECK_COND(n, "p", "Ready", "status", "False");
            a = pod_get(n, "p");
            struct str m = json_path_str(a.obj, "status." CT("state.waiting.message"));
            if (!str_starts(m, str_of(texts[i])))
                test_fail(__FILE__, __LINE__, "%.*s", STR_ARG(m));
            answer_free(&a);
            rig_run(n->r, pauses[i] * 1000 - 200);
            CHECK_INT(n->f->n_ct, i + 1);
            rig_run(n->r, 400);
        }
        CHECK_INT(n->f->n_ct, i + 2);
        CHECK_INT(json_path_i64((a = pod_get(n, "p")).obj, "status." CT("restartCount"), -1), i + 1);
        answer_free(&a);
        CHECK_POD(n, "p", CT("ready"), "true");
    }
    rig_run(n->r, 601 * 1000);
    ct_end(n, "c", 1);
    CHECK_INT(n->f->n_ct, ARRAY_LEN(pauses) + 2);        /* at once */
    ct_end(n, "c", 1);
    CHECK_POD(n, "p", CT("state.waiting.reason"), "CrashLoopBackOff");
    rig_run(n->r, 10100);
    CHECK_INT(n->f->n_ct, ARRAY_LEN(pauses) + 3);
    unsigned there = 0;
    for (unsigned i = 0; i < n->f->n_ct; i++)
        there += n->f->ct[i].there;
    CHECK_INT(there, 2);                         /* this run and the one before */
    node_rig_close(n);
}

TEST(restart_policies_and_phases)
{
    static const struct { const char *policy; int code; const char *phase, *reason; bool again; } cases[] = {
        { "Always", 0, "Running", "", true }, { "Always", 1, "Running", "", true },
        { "OnFailure", 0, "Succeeded", "Completed", false }, { "OnFailure", 1, "Running", "", true },
        { "Never", 0, "Succeeded", "Completed", false }, { "Never", 7, "Failed", "Error", false },
    };
    struct node_rig *n = node_rig_open();
    char spec[200], name[8];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(name, sizeof name, "p%zu", i);
        snprintf(spec, sizeof spec, "'restartPolicy':'%s','containers':[{'name':'c%zu','image':'i'}]",
                 cases[i].policy, i);
        pod_create(n, name, spec);
        rig_run(n->r, 50);
        snprintf(spec, sizeof spec, "c%zu", i);
        ct_end(n, spec, cases[i].code);
        rig_run(n->r, 50);
        CHECK_POD(n, name, "phase", cases[i].phase);
        CHECK_POD(n, name, CT("state.terminated.reason"), cases[i].reason);
        CHECK_POD(n, name, CT("restartCount"), cases[i].again ? "1" : "0");
        CHECK_COND(n, name, "Ready", "status", cases[i].again ? "True" : "False");
        CHECK_COND(n, name, "Ready", "reason",
                   cases[i].again       ? ""
                   : cases[i].code == 0 ? "PodCompleted"
                                        : "PodFailed");
    }
    pod_delete(n, "p4", -1);
    rig_run(n->r, 100);
    CHECK(pod_gone(n, "p4"));
    CHECK_INT(n->f->n_signals, 0);
    node_rig_close(n);
}

TEST(init_containers_come_first_and_one_by_one)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'initContainers':[{'name':'a','image':'i'},{'name':'b','image':'i'}]," ONE);
    rig_run(n->r, 50);
    CHECK_INT(n->f->n_ct, 1);
    CHECK_POD(n, "p", "phase", "Pending");
    CHECK_POD(n, "p", CT("state.waiting.reason"), "PodInitializing");
    CHECK_POD(n, "p", "initContainerStatuses.1.state.waiting.reason", "PodInitializing");
    CHECK_COND(n, "p", "Initialized", "status", "False");
    CHECK_COND(n, "p", "Initialized", "message", "containers with incomplete status: [a b]");
    ct_end(n, "a", 1);                           /* tried again at once */
    CHECK_INT(n->f->n_ct, 2);
    CHECK_POD(n, "p", INIT("restartCount"), "1");
    ct_end(n, "a", 0);
    CHECK_POD(n, "p", INIT("ready"), "true");
    CHECK_POD(n, "p", INIT("state.terminated.reason"), "Completed");
    CHECK_COND(n, "p", "Initialized", "message", "containers with incomplete status: [b]");
    CHECK(fake_run(n->f, "b") != NULL && fake_run(n->f, "c") == NULL);
    ct_end(n, "b", 0);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_COND(n, "p", "Initialized", "status", "True");
    CHECK_COND(n, "p", "Initialized", "message", "");
    node_rig_close(n);
}

TEST(an_init_container_that_fails_for_good_fails_the_pod)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'restartPolicy':'Never','initContainers':[{'name':'a','image':'i'}]," ONE);
    rig_run(n->r, 50);
    ct_end(n, "a", 5);
    rig_run(n->r, 50);
    CHECK_POD(n, "p", "phase", "Failed");
    CHECK_POD(n, "p", INIT("state.terminated.exitCode"), "5");
    CHECK_POD(n, "p", CT("state.waiting.reason"), "PodInitializing");
    CHECK(fake_run(n->f, "c") == NULL);
    node_rig_close(n);
}

TEST(sidecars_start_before_and_stop_after)
{
    struct node_rig *n = node_rig_open();

    pod_create(
        n, "p",
        "'initContainers':[{'name':'s1','image':'i','restartPolicy':'Always'},{'name':'a','image':'i'},"
        "{'name':'s2','image':'i','restartPolicy':'Always'}]," ONE);
    rig_run(n->r, 50);
    CHECK(fake_run(n->f, "s1") != NULL && fake_run(n->f, "a") != NULL && fake_run(n->f, "s2") == NULL);
    ct_end(n, "a", 0);
    CHECK_POD(n, "p", "phase", "Running");
    ct_end(n, "s1", 1);                          /* comes back; the pod runs on meanwhile */
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", INIT("restartCount"), "1");
    CHECK_POD(n, "p", CT("restartCount"), "0");
    n->f->delay_ms[F_KILL] = 1000;
    pod_delete(n, "p", -1);
    rig_run(n->r, 5000);
    CHECK_INT(n->f->n_signals, 3);
    CHECK_STR(str_of(n->f->signaled[0]), "c");
    CHECK_STR(str_of(n->f->signaled[1]), "s2");
    CHECK_STR(str_of(n->f->signaled[2]), "s1");
    CHECK(pod_gone(n, "p"));
    node_rig_close(n);
}

TEST(sidecars_end_with_a_job)
{
    struct node_rig *n = node_rig_open();

    pod_create(
        n, "p",
        "'restartPolicy':'Never','initContainers':[{'name':'s','image':'i','restartPolicy':'Always'}]," ONE);
    rig_run(n->r, 50);
    n->f->delay_ms[F_KILL] = 1000;
    ct_end(n, "c", 0);
    CHECK_POD(n, "p", "phase", "Running");       /* not final while something runs */
    rig_run(n->r, 1100);
    CHECK_POD(n, "p", "phase", "Succeeded");
    CHECK_INT(n->f->n_signals, 1);
    node_rig_close(n);
}

TEST(images_that_cannot_be_had)
{
    struct node_rig *n = node_rig_open();

    n->f->fail[F_IMAGE] = E_NOTFOUND;
    n->f->no_image = true;
    pod_create(n, "p", ONE);
    rig_run(n->r, 100);
    CHECK_POD(n, "p", CT("state.waiting.reason"), "ErrImagePull");
    CHECK_POD(n, "p", CT("state.waiting.message"), "Failed to pull image \"i:1\": it fails");
    rig_run(n->r, 3000);
    CHECK_POD(n, "p", CT("state.waiting.reason"), "ImagePullBackOff");
    CHECK_POD(n, "p", CT("state.waiting.message"), "Back-off pulling image \"i:1\"");
    CHECK_INT(n->f->asked[F_IMAGE], 1);
    rig_run(n->r, 7200);
    CHECK_INT(n->f->asked[F_IMAGE], 2);
    rig_run(n->r, 19000);
    CHECK_INT(n->f->asked[F_IMAGE], 2);
    rig_run(n->r, 1500);
    CHECK_INT(n->f->asked[F_IMAGE], 3);
    n->f->fail[F_IMAGE] = 0;
    rig_run(n->r, 41000);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("restartCount"), "0");
    ct_end(n, "c", 1);                           /* that back-off was not of the container */
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("ready"), "true");
    n->f->fail[F_IMAGE] = E_NOTFOUND;
    pod_create(n, "q", "'containers':[{'name':'q','image':'i','imagePullPolicy':'Never'}]");
    rig_run(n->r, 100);
    CHECK_POD(n, "q", CT("state.waiting.reason"), "ErrImageNeverPull");
    n->f->fail[F_IMAGE] = E_INVALID;
    pod_create(n, "x", "'containers':[{'name':'x','image':'i'}]");
    rig_run(n->r, 100);
    CHECK_POD(n, "x", CT("state.waiting.reason"), "InvalidImageName");
    node_rig_close(n);
}

TEST(a_command_that_cannot_be_run)
{
    struct node_rig *n = node_rig_open();

    n->f->fail[F_CREATE] = E_CHILD;
    n->f->why = "exec: \"nope\xff\": not found";
    pod_create(n, "p", ONE);
    pod_create(n, "q", "'restartPolicy':'Never'," ONE);
    rig_run(n->r, 100);
    CHECK_POD(n, "p", CT("state.waiting.reason"), "RunContainerError");
    CHECK_POD(n, "p", CT("state.waiting.message"), "exec: \"nope?\": not found");
    CHECK_POD(n, "p", CT("lastState.terminated.exitCode"), "128");
    CHECK_POD(n, "p", CT("lastState.terminated.reason"), "StartError");
    CHECK_POD(n, "q", "phase", "Failed");
    CHECK_POD(n, "q", CT("state.terminated.reason"), "StartError");
    n->f->fail[F_CREATE] = 0;
    n->f->fail[F_START] = E_CHILD;
    rig_run(n->r, 10100);
    CHECK_POD(n, "p", CT("state.waiting.reason"), "CrashLoopBackOff");
    n->f->fail[F_START] = 0;
    rig_run(n->r, 20100);
    CHECK_POD(n, "p", CT("ready"), "true");
    CHECK_POD(n, "p", CT("restartCount"), "2");
    node_rig_close(n);
}

TEST(a_config_map_that_comes_late_starts_the_pod_at_once)
{
    struct node_rig *n = node_rig_open();

    pod_create(
        n, "p",
        "'containers':[{'name':'c','image':'i','env':[{'name':'A','valueFrom':{'configMapKeyRef':{'name':'m','key':'k'}}},"
        "{'name':'B','valueFrom':{'secretKeyRef':{'name':'s','key':'k'}}}]}]");
    rig_run(n->r, 200);
    CHECK_POD(n, "p", CT("state.waiting.reason"), "CreateContainerConfigError");
    CHECK_POD(n, "p", CT("state.waiting.message"), "configmap \"m\" not found");
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/configmaps",
         "{'metadata':{'name':'m'},'data':{'other':'1'}}");
    rig_run(n->r, 30);
    CHECK_POD(n, "p", CT("state.waiting.message"), "couldn't find key k in ConfigMap default/m");
    CALL(n->r, 200, "PUT", "/api/v1/namespaces/default/configmaps/m",
         "{'metadata':{'name':'m'},'data':{'k':'1'}}");
    rig_run(n->r, 100);
    CHECK_POD(n, "p", CT("state.waiting.message"), "secret \"s\" not found");
    CALL(n->r, 201, "POST", "/api/v1/namespaces/default/secrets",
         "{'metadata':{'name':'s'},'data':{'k':'aGk='}}");
    rig_run(n->r, 100);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_STR(str_of(fake_run(n->f, "c")->env), "A=1;B=hi;");
    node_rig_close(n);
}

TEST(post_start_that_fails_ends_the_run)
{
    struct node_rig *n = node_rig_open();

    n->f->exec_exit = 1;
    pod_create(
        n, "p",
        "'restartPolicy':'Never','containers':[{'name':'c','image':'i','lifecycle':{'postStart':{'exec':{'command':['x']}}}}]");
    rig_run(n->r, 200);
    CHECK_INT(n_events(n, "FailedPostStartHook", "PostStartHook failed"), 1);
    CHECK_POD(n, "p", "phase", "Failed");
    CHECK_POD(n, "p", CT("state.terminated.exitCode"), "143");
    node_rig_close(n);
}

#define PRE_STOP                                                                                             \
    "'terminationGracePeriodSeconds':10,'containers':[{'name':'c','image':'i','lifecycle':{'preStop':{'exec':{'command':['x']}}}}]"

TEST(pre_stop_then_term_then_kill)
{
    struct node_rig *n = node_rig_open();
    uint64_t t0;

    n->f->ignores_term = true;
    n->f->delay_ms[F_EXEC] = 4000;
    pod_create(n, "p", PRE_STOP);
    rig_run(n->r, 100);
    t0 = loop_now_ms(n->f->loop);
    pod_delete(n, "p", -1);
    rig_run(n->r, 12000);
    CHECK_INT(n->f->n_signals, 2);
    CHECK_INT(n->f->signals[0], 15);
    CHECK_INT((n->f->signal_ms[0] - t0 + 50) / 100, 40);
    CHECK_INT(n->f->signals[1], 9);
    CHECK_INT((n->f->signal_ms[1] - t0 + 50) / 100, 100);
    CHECK(pod_gone(n, "p"));
    n->f->delay_ms[F_EXEC] = 60000; /* a hook that takes all: two seconds are left for the process */
    pod_create(n, "q", PRE_STOP);
    rig_run(n->r, 100);
    t0 = loop_now_ms(n->f->loop);
    pod_delete(n, "q", -1);
    rig_run(n->r, 13000);
    CHECK_INT(n->f->n_signals, 4);
    CHECK_INT((n->f->signal_ms[2] - t0 + 50) / 100, 100);
    CHECK_INT((n->f->signal_ms[3] - t0 + 50) / 100, 120);
    CHECK(pod_gone(n, "q"));
    node_rig_close(n);
}

TEST(a_shorter_grace_later_counts)
{
    struct node_rig *n = node_rig_open();

    n->f->ignores_term = true;
    pod_create(n, "p", "'terminationGracePeriodSeconds':600," ONE);
    rig_run(n->r, 100);
    pod_delete(n, "p", -1);
    rig_run(n->r, 1000);
    pod_delete(n, "p", 5);
    rig_run(n->r, 4900);
    CHECK_INT(n->f->n_signals, 1);
    rig_run(n->r, 500);
    CHECK_INT(n->f->signals[1], 9);
    CHECK(pod_gone(n, "p"));
    node_rig_close(n);
}

TEST(deleted_whatever_it_is_doing)
{
    static const enum fake_op stuck[] = { F_SANDBOX, F_IMAGE, F_CREATE, F_START, F_EXEC };

    for (size_t i = 0; i < ARRAY_LEN(stuck); i++) {
        struct node_rig *n = node_rig_open();
        n->f->hold[stuck[i]] = true;
        pod_create(
            n, "p",
            "'containers':[{'name':'c','image':'i','lifecycle':{'postStart':{'exec':{'command':['x']}}}}]");
        rig_run(n->r, 100);
        pod_delete(n, "p", -1);
        rig_run(n->r, 3000);
        if (stuck[i] == F_SANDBOX || stuck[i] == F_CREATE || stuck[i] == F_START)
            let_go(n, stuck[i]); /* these have to be seen to their end; a pull or a hook has not */
        rig_run(n->r, 200);
        CHECK(pod_gone(n, "p"));
        CHECK_INT(n->agent->pods.n, 0);
        CHECK(fake_run(n->f, "c") == NULL);
        if (stuck[i] == F_CREATE)
            CHECK_INT(n->f->asked[F_START], 0);
        let_go(n, stuck[i]);
        node_rig_close(n);
    }
}

TEST(deleted_while_it_backs_off_or_waits)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", ONE);
    rig_run(n->r, 50);
    ct_end(n, "c", 1);
    ct_end(n, "c", 1);
    pod_delete(n, "p", -1);
    rig_run(n->r, 100);
    CHECK(pod_gone(n, "p"));
    pod_create(
        n, "q",
        "'containers':[{'name':'q','image':'i'}],'volumes':[{'name':'v','configMap':{'name':'none'}}]");
    rig_run(n->r, 100);
    CHECK_POD(n, "q", CT("state.waiting.reason"), "ContainerCreating");
    rig_run(n->r, 10100);
    CHECK_INT(n_events(n, "FailedMount",
                       "MountVolume.SetUp failed for volume \"v\" : configmap \"none\" not found"),
              1);
    pod_delete(n, "q", -1);
    rig_run(n->r, 100);
    CHECK(pod_gone(n, "q"));
    n->f->fail[F_SANDBOX] = E_CHILD;
    pod_create(n, "r", ONE);
    rig_run(n->r, 1000);
    CHECK(n_events(n, "FailedCreatePodSandBox", "it fails") > 0);
    pod_delete(n, "r", -1);
    rig_run(n->r, 100);
    CHECK(pod_gone(n, "r"));
    CHECK_INT(n->agent->pods.n, 0);
    node_rig_close(n);
}

TEST(forced_deletion_and_the_same_name_again)
{
    struct node_rig *n = node_rig_open();

    n->f->ignores_term = true;
    pod_create(n, "p", ONE);
    rig_run(n->r, 50);
    pod_delete(n, "p", 0);
    pod_create(n, "p", ONE);
    rig_run(n->r, 100);
    CHECK_INT(n->agent->pods.n, 2);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("containerID"), "crun://ct-2");
    rig_run(n->r, 3000);
    CHECK_INT(n->agent->pods.n, 1);
    CHECK(fake_container(n->f, "ct-1") == NULL);
    CHECK(fake_container(n->f, "ct-2") != NULL);
    CHECK_POD(n, "p", "phase", "Running");
    node_rig_close(n);
}

static void sandbox_dies_in(void *arg)
{
    struct node_rig *n = arg;
    struct fake_sandbox *s = &n->f->sb[n->f->n_sb - 1];

    s->info.ready = false;
    n->f->base.events->on_sandbox_death(n->f->base.events_arg, s->id);
}

TEST(a_dead_sandbox_is_made_anew_with_all_that_was_in_it)
{
    struct node_rig *n = node_rig_open();

    pod_create(
        n, "p",
        "'initContainers':[{'name':'a','image':'i'}],'containers':[{'name':'c','image':'i'},{'name':'d','image':'i'}]");
    rig_run(n->r, 50);
    ct_end(n, "a", 0);
    CHECK_POD(n, "p", "phase", "Running");
    n->f->fail[F_SB_REMOVE] = E_IO;              /* and it does not go easily */
    sim_do(n->r->m, sandbox_dies_in, n);
    rig_run(n->r, 600);
    CHECK_COND(n, "p", "Ready", "status", "False");
    CHECK_COND(n, "p", "PodReadyToStartContainers", "status", "False");
    CHECK_INT(n->f->n_sb, 1);
    n->f->fail[F_SB_REMOVE] = 0;
    rig_run(n->r, 2000);
    CHECK_INT(n->f->n_sb, 2);
    CHECK_POD(n, "p", INIT("restartCount"), "1");
    ct_end(n, "a", 0);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", "podIPs", "[{\"ip\":\"10.1.0.2\"}]");
    CHECK_POD(n, "p", CT("restartCount"), "1");
    CHECK_POD(n, "p", CT("lastState.terminated.exitCode"), "137");
    CHECK_POD(n, "p", "containerStatuses.1.restartCount", "1");
    CHECK_COND(n, "p", "Ready", "status", "True");
    CHECK_INT(n_events(n, "SandboxChanged", "re-created"), 1);
    pod_create(n, "q", "'restartPolicy':'Never','containers':[{'name':'q','image':'i'}]");
    rig_run(n->r, 50);
    sim_do(n->r->m, sandbox_dies_in, n);
    rig_run(n->r, 100);
    CHECK_POD(n, "q", "phase", "Failed");
    node_rig_close(n);
}

TEST(another_image_restarts_the_container)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'restartPolicy':'Never'," ONE);
    rig_run(n->r, 50);
    n->r->type = "application/merge-patch+json";
    CALL(n->r, 200, "PATCH", PODS "/p", "{'metadata':{'labels':{'app':'y'}}}");
    rig_run(n->r, 50);
    CHECK_INT(n->f->n_ct, 1);
    n->r->type = "application/strategic-merge-patch+json";
    CALL(n->r, 200, "PATCH", PODS "/p", "{'spec':{'containers':[{'name':'c','image':'i:2'}]}}");
    n->r->type = NULL;
    rig_run(n->r, 100);
    CHECK_INT(n->f->n_ct, 2);
    CHECK_STR(str_of(fake_run(n->f, "c")->image), "i:2");
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("image"), "i:2");
    CHECK_POD(n, "p", CT("restartCount"), "1");
    CHECK_INT(n_events(n, "Killing", "Container c definition changed, will be restarted"), 1);
    n->f->fail[F_IMAGE] = E_NOTFOUND;
    pod_create(n, "q", "'containers':[{'name':'q','image':'bad'}]");
    rig_run(n->r, 5000);
    CHECK_POD(n, "q", CT("state.waiting.reason"), "ImagePullBackOff");
    n->f->fail[F_IMAGE] = 0;
    n->r->type = "application/strategic-merge-patch+json";
    CALL(n->r, 200, "PATCH", PODS "/q", "{'spec':{'containers':[{'name':'q','image':'good'}]}}");
    n->r->type = NULL;
    rig_run(n->r, 100);
    CHECK_POD(n, "q", "phase", "Running");
    node_rig_close(n);
}

#define SIZED(name, request, limit, policy) \
    "{'name':'" name "','image':'i','resizePolicy':[{'resourceName':'memory','restartPolicy':'" policy "'}]," \
    "'resources':{'requests':{'cpu':'" request "','memory':'64Mi'},'limits':{'cpu':'" limit "','memory':'128Mi'}}}"

static int resize(struct node_rig *n, const char *name, const char *containers)
{
    char          path[200], body[600];
    struct answer a;

    snprintf(path, sizeof path, PODS "/%s/resize", name);
    snprintf(body, sizeof body, "{'spec':{'containers':[%s]}}", containers);
    n->r->type = "application/strategic-merge-patch+json";
    a = call(n->r, "PATCH", path, body);
    n->r->type = NULL;
    rig_run(n->r, 100);
    answer_free(&a);
    return a.status;
}

TEST(a_pod_is_resized_while_it_runs)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'containers':[" SIZED("c", "100m", "200m", "RestartContainer") "]");
    rig_run(n->r, 200);
    CHECK_POD(n, "p", CT("resources.limits.cpu"), "200m");
    CHECK_POD(n, "p", CT("allocatedResources.cpu"), "100m");
    n->f->hold[F_RESIZE] = true;
    CHECK_INT(resize(n, "p", "{'name':'c','resources':{'requests':{'cpu':'150m'},'limits':{'cpu':'400m'}}}"), 200);
    CHECK_POD(n, "p", "conditions.4.type", "PodResizeInProgress");
    CHECK_INT(n->f->limits.cpu_quota_us, 40000);
    CHECK_INT(n->f->pod_meanwhile.cpu_quota_us, 40000);
    CHECK_INT(n->f->pod_limits.cpu_quota_us, 40000);
    fake_release(n->f, F_RESIZE);
    rig_run(n->r, 200);
    CHECK_POD(n, "p", "conditions.4.type", "");
    CHECK_POD(n, "p", CT("resources.limits.cpu"), "400m");
    CHECK_POD(n, "p", CT("restartCount"), "0");
    /* less: the pod stays wide until its container is narrow */
    CHECK_INT(resize(n, "p", "{'name':'c','resources':{'limits':{'cpu':'300m'}}}"), 200);
    CHECK_INT(n->f->pod_meanwhile.cpu_quota_us, 40000);
    CHECK_INT(n->f->pod_limits.cpu_quota_us, 30000);
    CHECK_INT(n->f->limits.cpu_quota_us, 30000);
    /* memory, whose policy it is */
    CHECK_INT(resize(n, "p", "{'name':'c','resources':{'limits':{'memory':'256Mi'}}}"), 200);
    rig_run(n->r, 3000);
    CHECK_POD(n, "p", CT("restartCount"), "1");
    CHECK_POD(n, "p", CT("resources.limits.memory"), "256Mi");
    CHECK_POD(n, "p", "phase", "Running");
    node_rig_close(n);
}

TEST(limits_that_cannot_be_written_are_tried_again)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'containers':[" SIZED("c", "100m", "200m", "NotRequired") "]");
    rig_run(n->r, 200);
    n->f->fail[F_RESIZE] = E_IO;
    CHECK_INT(resize(n, "p", "{'name':'c','resources':{'limits':{'cpu':'400m'}}}"), 200);
    CHECK_POD(n, "p", "conditions.4.type", "PodResizeInProgress");
    CHECK_POD(n, "p", "conditions.4.reason", "Error");
    CHECK_POD(n, "p", "conditions.4.message", "it fails");
    n->f->fail[F_RESIZE] = 0;
    rig_run(n->r, 11000);
    CHECK_POD(n, "p", "conditions.4.type", "");
    CHECK_INT(n->f->limits.cpu_quota_us, 40000);
    node_rig_close(n);
}

TEST(a_resize_waits_for_room_or_for_ever)
{
    struct node_rig *n = node_rig_open();
    unsigned asked;

    pod_create(n, "p", "'containers':[" SIZED("c", "1", "64", "NotRequired") "]");
    pod_create(n, "q", "'containers':[" SIZED("c", "1", "64", "NotRequired") "]");
    rig_run(n->r, 200);
    asked = n->f->asked[F_RESIZE];
    CHECK_INT(resize(n, "p", "{'name':'c','resources':{'requests':{'cpu':'50'}}}"), 200);
    CHECK_POD(n, "p", "conditions.4.type", "PodResizePending");
    CHECK_POD(n, "p", "conditions.4.reason", "Infeasible");
    CHECK_POD(n, "p", CT("allocatedResources.cpu"), "1");
    CHECK_INT(resize(n, "p", "{'name':'c','resources':{'requests':{'cpu':'1500m'}}}"), 200);
    CHECK_POD(n, "p", "conditions.4.reason", "Deferred");
    CHECK_INT(n->f->asked[F_RESIZE], asked);
    pod_delete(n, "q", 0);
    rig_run(n->r, 5000);
    CHECK_POD(n, "p", "conditions.4.type", "");
    CHECK_POD(n, "p", CT("allocatedResources.cpu"), "1500m");
    CHECK_INT(n->f->asked[F_RESIZE], asked + 1);
    node_rig_close(n);
}

TEST(active_deadline)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'activeDeadlineSeconds':30," ONE);
    rig_run(n->r, 28000);
    CHECK_POD(n, "p", "phase", "Running");
    rig_run(n->r, 3000);
    CHECK_POD(n, "p", "phase", "Failed");
    CHECK_POD(n, "p", "reason", "DeadlineExceeded");
    CHECK_POD(n, "p", CT("state.terminated.exitCode"), "143");
    CHECK_INT(n->f->signals[0], 15);
    pod_delete(n, "p", -1);
    rig_run(n->r, 100);
    CHECK(pod_gone(n, "p"));
    node_rig_close(n);
}

TEST(an_agent_that_was_away_finds_its_pods)
{
    struct node_rig *n = node_rig_open();
    struct answer before, after;

    pod_create(
        n, "run",
        "'containers':[{'name':'run','image':'i','readinessProbe':{'exec':{'command':['x']},'periodSeconds':5}}]");
    pod_create(n, "end", "'restartPolicy':'Never','containers':[{'name':'end','image':'i'}]");
    pod_create(n, "gone", "'containers':[{'name':'gone','image':'i'}]");
    pod_create(n, "crash", "'containers':[{'name':'crash','image':'i'}]");
    rig_run(n->r, 200);
    ct_end(n, "crash", 1);
    CHECK_POD(n, "run", CT("ready"), "true");
    before = pod_get(n, "run");
    node_down(n);
    fake_end(n->f, fake_run(n->f, "end"), 0);
    fake_end(n->f, fake_run(n->f, "crash"), 2);
    pod_delete(n, "gone", 0);
    n->f->hold[F_EXEC] = true;                   /* no probe says anything */
    node_up(n);
    rig_run(n->r, 3000);
    after = pod_get(n, "run");
    CHECK(json_equal(json_path(before.obj, "status"), json_path(after.obj, "status")));
    CHECK_POD(n, "end", "phase", "Succeeded");
    CHECK_POD(n, "end", CT("restartCount"), "0");
    CHECK_POD(n, "crash", CT("restartCount"), "2");
    CHECK_POD(n, "crash", CT("lastState.terminated.exitCode"), "2");
    CHECK(fake_run(n->f, "gone") == NULL);
    CHECK_INT(n->agent->pods.n, 3);
    CHECK_INT(n->f->n_ct, 4 + 2);
    answer_free(&before);
    answer_free(&after);
    let_go(n, F_EXEC);
    node_rig_close(n);
}

TEST(an_agent_dies_at_every_step_of_a_start)
{
    static const enum fake_op at[] = { F_SANDBOX, F_IMAGE, F_CREATE, F_START };

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        struct node_rig *n = node_rig_open();
        n->f->hold[at[i]] = true;
        pod_create(n, "p", "'restartPolicy':'Never'," ONE);
        rig_run(n->r, 100);
        node_down(n);
        n->f->hold[at[i]] = false;
        node_up(n);
        rig_run(n->r, 200);
        CHECK_POD(n, "p", "phase", "Running");
        CHECK_POD(n, "p", CT("restartCount"), "0");
        CHECK_INT(n->f->n_sb, 1);
        CHECK_INT(n->f->n_ct, 1);
        pod_delete(n, "p", -1);
        rig_run(n->r, 200);
        CHECK(pod_gone(n, "p"));
        node_rig_close(n);
    }
}

TEST(a_sandbox_that_died_before_anything_ran_is_no_failure)
{
    struct node_rig *n = node_rig_open();

    n->f->hold[F_SANDBOX] = true;
    pod_create(n, "p", "'restartPolicy':'Never'," ONE);
    rig_run(n->r, 100);
    node_down(n);
    n->f->hold[F_SANDBOX] = false;
    n->f->sb[0].info.ready = false;              /* half made */
    node_up(n);
    rig_run(n->r, 200);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("restartCount"), "0");
    CHECK_INT(n->f->n_sb, 2);
    CHECK(!n->f->sb[0].there);
    node_rig_close(n);
}

TEST(what_has_vanished_is_made_again)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", ONE);
    pod_create(n, "q", "'restartPolicy':'Never','containers':[{'name':'q','image':'i'}]");
    rig_run(n->r, 100);
    node_down(n);
    for (unsigned i = 0; i < n->f->n_ct; i++)
        n->f->ct[i].there = false;
    for (unsigned i = 0; i < n->f->n_sb; i++)
        n->f->sb[i].there = false;
    node_up(n);
    rig_run(n->r, 200);
    CHECK_POD(n, "p", "phase", "Running");
    CHECK_POD(n, "p", CT("restartCount"), "1");
    CHECK_POD(n, "p", CT("lastState.terminated.reason"), "ContainerStatusUnknown");
    CHECK_POD(n, "q", "phase", "Failed");
    node_rig_close(n);
}

TEST(status_goes_through_when_the_api_is_slow_to_take_it)
{
    struct node_rig *n = node_rig_open();

    pod_create(n, "p", "'restartPolicy':'Never'," ONE);
    rig_run(n->r, 50);
    n->r->type =
        "application/merge-patch+json"; /* somebody else says that it has failed: it may not run on */
    CALL(n->r, 200, "PATCH", PODS "/p/status", "{'status':{'phase':'Failed','reason':'Evicted'}}");
    n->r->type = NULL;
    rig_run(n->r, 100);
    CHECK_INT(n->f->n_signals, 1);
    CHECK_POD(n, "p", "reason", "Evicted");
    pod_delete(n, "p", -1);
    rig_run(n->r, 100);
    CHECK(pod_gone(n, "p"));
    node_rig_close(n);
}

static void not_ready(struct node_rig *n)
{
    n->r->type = "application/strategic-merge-patch+json";
    CALL(n->r, 200, "PATCH", PODS "/p/status", "{'status':{'conditions':[{'type':'Ready','status':'False',"
                                               "'lastTransitionTime':'2001-01-01T00:00:00Z'}]}}");
    n->r->type = NULL;
}

/* The node controller does, of all pods of a node that it has not heard of for long. */
TEST(who_says_that_a_pod_is_not_ready_is_corrected)
{
    struct node_rig *n = node_rig_open();
    struct answer a;

    pod_create(n, "p", ONE);
    rig_run(n->r, 50);
    CHECK_COND(n, "p", "Ready", "status", "True");
    not_ready(n);
    rig_run(n->r, 100);
    CHECK_COND(n, "p", "Ready", "status", "True");
    a = pod_get(n, "p");
    json_each(c, json_path(a.obj, "status.conditions"))    /* it became so now */
        if (str_is(json_path_str(c, "type"), "Ready"))
            CHECK(!str_starts(json_path_str(c, "lastTransitionTime"), STR("2001")));
    struct str was = json_path_str(a.obj, "metadata.resourceVersion");
    rig_run(n->r, 60000);                        /* said once */
    struct answer b = pod_get(n, "p");
    CHECK(str_eq(json_path_str(b.obj, "metadata.resourceVersion"), was));
    answer_free(&a);
    answer_free(&b);
    ct_end(n, "c", 1);                           /* while something else is being said */
    not_ready(n);
    rig_run(n->r, 20000);
    CHECK_COND(n, "p", "Ready", "status", "True");
    node_rig_close(n);
}

TEST(termination_messages)
{
    struct node_rig *n = node_rig_open();
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/message", test_dir());
    f = fopen(path, "w");
    for (int i = 0; i < 5000; i++)
        fputc('x', f);
    fputs("bad \xff end", f);
    fclose(f);
    n->f->term_file = path;
    pod_create(n, "p", "'restartPolicy':'Never'," ONE);
    rig_run(n->r, 50);
    ct_end(n, "c", 1);
    struct answer a = pod_get(n, "p");
    struct str m = json_path_str(a.obj, "status." CT("state.terminated.message"));
    CHECK_INT(m.n, 4096);
    CHECK(str_ends(m, STR("bad ? end")));
    answer_free(&a);
    n->f->term_file = NULL;
    pod_create(
        n, "q",
        "'restartPolicy':'Never','containers':[{'name':'q','image':'i','terminationMessagePolicy':'FallbackToLogsOnError'}]");
    rig_run(n->r, 50);
    snprintf(fake_run(n->f, "q")->log, 512, "%s/q.log", test_dir());
    f = fopen(fake_run(n->f, "q")->log, "w");
    fputs("2026-01-01T00:00:00.1Z stdout F one\n2026-01-01T00:00:00.2Z stderr F two three\n", f);
    fclose(f);
    ct_end(n, "q", 1);
    CHECK_POD(n, "q", CT("state.terminated.message"), "one\ntwo three\n");
    node_rig_close(n);
}
