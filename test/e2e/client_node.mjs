// test/e2e/client_node.mjs LIBRARY: what programs do with @kubernetes/client-node, against a cluster of three heads.
//
// Run by client_node_test.sh; the library is below LIBRARY/node_modules, the cluster is that of $KUBECONFIG, whose contexts
// head-1 .. head-3 name its heads, $HEAD_PIDS their processes and $LEADER the one that leads.  Each check prints one line:
// "ok", a tab and its name; or "FAIL", its name and what went wrong, lines of that parted by vertical tabs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(`${process.argv[2]}/`);
const k8s = await import(require.resolve('@kubernetes/client-node'));
const namespace = 'client-node';
const image = 'coracle.local/sample:1';
const { MergePatch, StrategicMergePatch, JsonPatch, ServerSideApply } = k8s.PatchStrategy;

// ---- Checks ---------------------------------------------------------------------------------------------------------------

function print(status, name, detail = '') {
    fs.writeSync(1, `${status}\t${name}\t${detail.replaceAll('\t', ' ').replaceAll('\n', '\v')}\n`);
}

// What went wrong, with the body of an answer that the server gave.
function explain(error) {
    return (error?.stack ?? String(error)) + (error?.body ? `\n${JSON.stringify(error.body)}` : '');
}

async function check(name, run) {
    const late = new AbortController();

    try {
        await Promise.race([run(), sleep(15000, undefined, { signal: late.signal }).then(() => assert.fail('out of time'))]);
        print('ok', name);
    } catch (error) {
        print('FAIL', name, explain(error));
    }
    late.abort();
}

// Until what is asked is true; anything thrown meanwhile counts as not yet.
async function until(what, asked, seconds = 10) {
    const deadline = Date.now() + seconds * 1000;
    let last;

    for (;;) {
        try {
            last = await asked();
            if (last) {
                return last;
            }
        } catch (error) {
            last = explain(error);
        }
        assert.ok(Date.now() < deadline, `never: ${what} (last: ${JSON.stringify(last)})`);
        await sleep(20);
    }
}

// The Status with which a call was refused: its code and reason are what is wanted.
async function refused(code, reason, call) {
    let error;

    try {
        await call();
    } catch (caught) {
        error = caught;
    }
    assert.ok(error, `was not refused; wanted ${code} ${reason}`);
    assert.ok(error instanceof k8s.ApiException, explain(error));
    assert.equal(error.code, code, explain(error));
    const status = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    assert.equal(status.kind, 'Status');
    assert.equal(status.status, 'Failure');
    assert.equal(status.code, code);
    assert.equal(status.reason, reason);
    return status;
}

// ---- The client -----------------------------------------------------------------------------------------------------------

function configFor(context) {
    const config = new k8s.KubeConfig();

    config.loadFromFile(process.env.KUBECONFIG);
    config.setCurrentContext(context);
    return config;
}

const config = configFor('head-1');
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const patchAs = (strategy) => k8s.setHeaderOptions('Content-Type', strategy);

function configMap(name, data, labels) {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data };
}

function pod(name, command, more = {}) {
    return {
        metadata: { name, namespace, labels: { run: name } },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image, ...(command && { command }), ...more }] },
    };
}

// Kinds to be created, read, replaced, patched, listed and deleted: [API, whole object, a change and where it is seen].
const labelled = { app: 'x' };
const template = { metadata: { labels: labelled }, spec: { containers: [{ name: 'c', image }] } };
const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
const KINDS = [
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } }, ['data', { a: '2' }]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'Secret', data: { a: 'MQ==' } }, ['data', { a: 'Mg==' }]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'Service', spec: { selector: labelled, ports: [{ port: 80, targetPort: 'http' }] } },
        ['spec.selector', { app: 'y' }]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'ServiceAccount' }, ['automountServiceAccountToken', false]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'PersistentVolumeClaim',
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }, ['metadata.labels', { a: 'b' }]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { pods: '10' } } }, ['spec.hard', { pods: '20' }]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'Namespace' }, ['metadata.labels.a', 'b']],
    [k8s.AppsV1Api, { apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: 0, selector: { matchLabels: labelled }, template } },
        ['spec.revisionHistoryLimit', 3]],
    [k8s.AppsV1Api, { apiVersion: 'apps/v1', kind: 'StatefulSet',
        spec: { replicas: 0, serviceName: 's', selector: { matchLabels: labelled }, template } }, ['spec.minReadySeconds', 1]],
    [k8s.BatchV1Api, { apiVersion: 'batch/v1', kind: 'CronJob', spec: { schedule: '0 0 1 1 *', suspend: true,
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] } } } } } },
        ['spec.schedule', '0 0 2 2 *']],
    [k8s.NetworkingV1Api, { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress',
        spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
        ['spec.defaultBackend.service.port', { name: 'http' }]],
    [k8s.PolicyV1Api, { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget',
        spec: { minAvailable: '50%', selector: { matchLabels: labelled } } }, ['spec.minAvailable', 1]],
    [k8s.AutoscalingV2Api, { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler',
        spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' } } }, ['spec.maxReplicas', 4]],
    [k8s.RbacAuthorizationV1Api, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: [rule] },
        ['rules', [{ ...rule, verbs: ['list'] }]]],
    [k8s.RbacAuthorizationV1Api, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', rules: [rule] },
        ['rules', [{ ...rule, verbs: ['list'] }]]],
    [k8s.SchedulingV1Api, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', value: 7 }, ['description', 'seven']],
    [k8s.StorageV1Api, { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', provisioner: 'example.com/none' },
        ['allowVolumeExpansion', true]],
];
const CLUSTER_WIDE = new Set(['Namespace', 'ClusterRole', 'PriorityClass', 'StorageClass']);

const at = (object, path) => path.split('.').reduce((value, key) => value?.[key], object);

function put(object, path, value) {
    const keys = path.split('.');
    const last = keys.pop();

    keys.reduce((inner, key) => (inner[key] ??= {}), object)[last] = value;
}

// What is wanted is there; the server may have added to it (defaults).
function holds(actual, wanted) {
    for (const [key, value] of wanted !== null && typeof wanted === 'object' ? Object.entries(wanted) : []) {
        holds(actual?.[key], value);
    }
    if (wanted === null || typeof wanted !== 'object') {
        assert.equal(actual, wanted);
    }
}

// ---- Every verb -----------------------------------------------------------------------------------------------------------

async function typedVerbs([Api, object, [path, value]]) {
    const api = config.makeApiClient(Api);
    const wide = CLUSTER_WIDE.has(object.kind);
    const scope = wide ? {} : { namespace };
    const name = `typed-${object.kind.toLowerCase()}`;
    const call = (verb, more, options) => api[`${verb}${wide ? '' : 'Namespaced'}${object.kind}`]({ ...scope, ...more }, options);

    const made = await call('create', { body: { ...structuredClone(object), metadata: { name, ...scope } } });
    assert.ok(made.metadata.creationTimestamp instanceof Date);
    const read = await call('read', { name });
    assert.equal(read.metadata.uid, made.metadata.uid);
    const { apiVersion, kind, ...content } = object;
    holds(read, content);
    assert.deepEqual([read.apiVersion, read.kind], [apiVersion, kind]);

    // A replacement of what others have changed since is refused; of what is as it was read, done.
    const patched = await call('patch', { name, body: { metadata: { annotations: { by: 'patch' } } } }, patchAs(MergePatch));
    assert.equal(patched.metadata.annotations.by, 'patch');
    put(read, path, value);
    await refused(409, 'Conflict', () => call('replace', { name, body: read }));
    const fresh = await until('no conflict', async () => {
        const latest = await call('read', { name });
        put(latest, path, value);
        return call('replace', { name, body: latest });
    });
    holds(at(fresh, path), value);
    assert.equal(fresh.metadata.annotations.by, 'patch');

    const list = await call('list', { fieldSelector: `metadata.name=${name}` });
    assert.deepEqual(list.items.map((item) => item.metadata.uid), [made.metadata.uid]);
    await call('delete', { name, propagationPolicy: 'Background' });
    await until('it is gone', () => refused(404, 'NotFound', () => call('read', { name })));
}

async function objectVerbs([, object, [path, value]]) {
    const wide = CLUSTER_WIDE.has(object.kind);
    const metadata = { name: `object-${object.kind.toLowerCase()}`, ...(wide ? {} : { namespace }) };
    const spec = { ...structuredClone(object), metadata };

    const made = await objects.create(spec);
    await refused(409, 'AlreadyExists', () => objects.create(spec));
    const change = { apiVersion: object.apiVersion, kind: object.kind, metadata };
    await objects.patch({ ...change, metadata: { ...metadata, annotations: { by: 'patch' } } });
    const replaced = await until('no conflict', async () => {
        const latest = await objects.read(change);
        put(latest, path, value);
        return objects.replace(latest);
    });
    assert.equal(replaced.metadata.uid, made.metadata.uid);
    assert.equal(replaced.metadata.annotations.by, 'patch');
    holds(at(replaced, path), value);
    const list = await objects.list(object.apiVersion, object.kind, metadata.namespace, undefined, undefined, undefined,
        `metadata.name=${metadata.name}`);
    assert.equal(list.items.length, 1);
    await objects.delete(change);
    await until('it is gone', () => refused(404, 'NotFound', () => objects.read(change)));
}

async function theServer() {
    await check('VersionApi', async () => {
        const version = await config.makeApiClient(k8s.VersionApi).getCode();
        assert.match(version.gitVersion, /^v1\./);
    });
    await check('ApisApi, CoreApi: the groups and versions', async () => {
        const groups = await config.makeApiClient(k8s.ApisApi).getAPIVersions();
        assert.ok(groups.groups.some((group) => group.name === 'apps' && group.preferredVersion.version === 'v1'));
        assert.deepEqual((await config.makeApiClient(k8s.CoreApi).getAPIVersions()).versions, ['v1']);
        assert.ok((await core.getAPIResources()).resources.some((resource) => resource.name === 'pods/exec'));
    });
    await check('Health: readyz and livez', async () => {
        const health = new k8s.Health(config);
        assert.equal(await health.readyz({}), true);
        assert.equal(await health.livez({}), true);
    });
    await check('may I: SelfSubjectAccessReview, SelfSubjectReview', async () => {
        const review = await config.makeApiClient(k8s.AuthorizationV1Api).createSelfSubjectAccessReview({
            body: { spec: { resourceAttributes: { verb: 'delete', resource: 'nodes' } } } });
        assert.equal(review.status.allowed, true);
        const self = await config.makeApiClient(k8s.AuthenticationV1Api).createSelfSubjectReview({ body: {} });
        assert.ok(self.status.userInfo.groups.includes('system:masters'));
    });
}

async function moreVerbs() {
    await check('CustomObjectsApi: any kind by its path', async () => {
        const custom = config.makeApiClient(k8s.CustomObjectsApi);
        const where = { group: 'apps', version: 'v1', namespace, plural: 'deployments' };
        await custom.createNamespacedCustomObject({ ...where, body: { apiVersion: 'apps/v1', kind: 'Deployment',
            metadata: { name: 'custom' }, spec: { replicas: 0, selector: { matchLabels: labelled }, template } } });
        const list = await custom.listNamespacedCustomObject(where);
        assert.ok(list.items.some((item) => item.metadata.name === 'custom'));
        await custom.patchNamespacedCustomObject({ ...where, name: 'custom', body: [{ op: 'add', path: '/spec/minReadySeconds',
            value: 2 }] });
        assert.equal((await custom.getNamespacedCustomObject({ ...where, name: 'custom' })).spec.minReadySeconds, 2);
        await custom.deleteNamespacedCustomObject({ ...where, name: 'custom' });
    });
    await check('a manifest of several documents: loadAllYaml, create, read, delete', async () => {
        const all = k8s.loadAllYaml(`{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: ${namespace}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: two, namespace: ${namespace}}, stringData: {a: b}}
`);
        for (const document of all) {
            await objects.create(document);
        }
        assert.equal((await core.readNamespacedSecret({ name: 'two', namespace })).data.a, 'Yg==');
        for (const document of all) {
            assert.equal((await objects.delete(document)).status, 'Success');
        }
    });
    await check('dry run stores nothing', async () => {
        const made = await core.createNamespacedConfigMap({ namespace, body: configMap('ghost'), dryRun: 'All' });
        assert.ok(made.metadata.uid);
        await refused(404, 'NotFound', () => core.readNamespacedConfigMap({ namespace, name: 'ghost' }));
    });
    await check('generateName', async () => {
        const body = { metadata: { generateName: 'made-' } };
        const made = await core.createNamespacedConfigMap({ namespace, body });
        assert.match(made.metadata.name, /^made-[a-z0-9]{5}$/);
    });
    await check('scale and status are resources of their own', async () => {
        await apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'scaled' },
            spec: { replicas: 0, paused: true, selector: { matchLabels: labelled }, template } } });
        const scale = await until('no conflict', async () => {
            const read = await apps.readNamespacedDeploymentScale({ namespace, name: 'scaled' });
            read.spec.replicas = 1;
            return apps.replaceNamespacedDeploymentScale({ namespace, name: 'scaled', body: read });
        });
        assert.equal(scale.spec.replicas, 1);
        assert.equal((await apps.readNamespacedDeploymentStatus({ namespace, name: 'scaled' })).spec.replicas, 1);
        await apps.deleteNamespacedDeployment({ namespace, name: 'scaled' });
    });
}

// ---- Patches --------------------------------------------------------------------------------------------------------------

async function patches() {
    const name = 'patched';
    const patch = (body, strategy, more) =>
        apps.patchNamespacedDeployment({ namespace, name, body, ...more }, patchAs(strategy));
    const images = (deployment) => deployment.spec.template.spec.containers.map((c) => `${c.name}=${c.image}`).sort();

    await apps.createNamespacedDeployment({ namespace, body: { metadata: { name },
        spec: { replicas: 0, selector: { matchLabels: labelled }, template } } });
    await check('strategic merge patch: containers merge by name', async () => {
        const done = await patch({ spec: { template: { spec: { containers: [{ name: 'd', image: 'two' }] } } } }, StrategicMergePatch);
        assert.deepEqual(images(done), [`c=${image}`, 'd=two']);
        const less = await patch({ spec: { template: { spec: { containers: [{ name: 'd', $patch: 'delete' }] } } } }, StrategicMergePatch);
        assert.deepEqual(images(less), [`c=${image}`]);
    });
    await check('merge patch: a list is replaced, null removes', async () => {
        const done = await patch({ metadata: { labels: { a: '1' } },
            spec: { template: { spec: { containers: [{ name: 'e', image: 'three' }] } } } }, MergePatch);
        assert.deepEqual(images(done), ['e=three']);
        assert.equal((await patch({ metadata: { labels: { a: null } } }, MergePatch)).metadata.labels?.a, undefined);
    });
    await check('JSON patch: in order, or not at all', async () => {
        const path = '/spec/template/spec/containers/0/image';
        const done = await patch([{ op: 'test', path, value: 'three' }, { op: 'replace', path, value: 'four' }], JsonPatch);
        assert.deepEqual(images(done), ['e=four']);
        await refused(422, 'Invalid', () => patch([{ op: 'replace', path, value: 'five' }, { op: 'test', path, value: 'x' }], JsonPatch));
        assert.deepEqual(images(await apps.readNamespacedDeployment({ namespace, name })), ['e=four']);
    });
    await check('server-side apply: creates, owns, conflicts, forces', async () => {
        const apply = (fieldManager, data, force) => core.patchNamespacedConfigMap(
            { namespace, name: 'applied', body: configMap('applied', data), fieldManager, force }, patchAs(ServerSideApply));
        const made = await apply('one', { a: '1', b: '1' });
        assert.equal(made.metadata.managedFields[0].manager, 'one');
        assert.equal(made.metadata.managedFields[0].operation, 'Apply');
        const status = await refused(409, 'Conflict', () => apply('two', { a: '2' }));
        assert.equal(status.details.causes[0].reason, 'FieldManagerConflict');
        assert.equal(status.details.causes[0].field, '.data.a');
        assert.deepEqual((await apply('two', { a: '2' }, true)).data, { a: '2', b: '1' });
        assert.deepEqual((await apply('one', {})).data, { a: '2' });
    });
    await check('KubernetesObjectApi.patch: server-side apply', async () => {
        const done = await objects.patch(configMap('applied-too', { k: 'v' }), undefined, undefined, 'me', true, ServerSideApply);
        assert.equal(done.data.k, 'v');
    });
    await check('an unknown patch type is refused', async () => {
        await refused(415, 'UnsupportedMediaType', () => patch({}, 'application/unknown'));
    });
    await apps.deleteNamespacedDeployment({ namespace, name });
}

// ---- Errors ---------------------------------------------------------------------------------------------------------------

async function errors() {
    await check('404 names what is not there', async () => {
        const status = await refused(404, 'NotFound', () => core.readNamespacedPod({ namespace, name: 'nope' }));
        assert.equal(status.message, 'pods "nope" not found');
        assert.deepEqual([status.details.name, status.details.kind], ['nope', 'pods']);
    });
    await check('409 on a name that is taken', async () => {
        await core.createNamespacedConfigMap({ namespace, body: configMap('taken') });
        await refused(409, 'AlreadyExists', () => core.createNamespacedConfigMap({ namespace, body: configMap('taken') }));
    });
    await check('422 with a cause for every fault', async () => {
        const body = pod('Bad_Name', undefined, { image: '', imagePullPolicy: 'Never', ports: [{ containerPort: 70000 }] });
        const status = await refused(422, 'Invalid', () => core.createNamespacedPod({ namespace, body }));
        const fields = status.details.causes.map((cause) => cause.field);
        for (const field of ['metadata.name', 'spec.containers[0].image', 'spec.containers[0].ports[0].containerPort']) {
            assert.ok(fields.includes(field), `${field} in ${fields}`);
        }
    });
    await check('400 on a body of another kind or namespace', async () => {
        await refused(400, 'BadRequest', () => core.createNamespacedConfigMap({ namespace,
            body: { ...configMap('other'), metadata: { name: 'other', namespace: 'elsewhere' } } }));
    });
    await check('403 and 401: a service account and its token, a token of nobody', async () => {
        await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'robot' } } });
        const token = await core.createNamespacedServiceAccountToken({ namespace, name: 'robot', body: { spec: { audiences: [] } } });
        const status = await refused(403, 'Forbidden', () => asToken(token.status.token).listNamespacedSecret({ namespace }));
        assert.match(status.message, /User "system:serviceaccount:client-node:robot" cannot list resource "secrets"/);
        await assert.rejects(asToken('nonsense').listNamespacedSecret({ namespace }), { code: 401 });  // it keeps no body of a 401
    });
}

function asToken(token) {
    const other = new k8s.KubeConfig();
    const cluster = config.getCurrentCluster();

    other.loadFromClusterAndUser(cluster, { name: 'token', token });
    return other.makeApiClient(k8s.CoreV1Api);
}

// ---- Lists ----------------------------------------------------------------------------------------------------------------

async function lists() {
    const labelSelector = 'page=yes';

    for (let i = 0; i < 7; i++) {
        await core.createNamespacedConfigMap({ namespace, body: configMap(`page-${i}`, undefined, { page: 'yes' }) });
    }
    await check('limit and continue: all pages are of one moment', async () => {
        const names = [];
        const revisions = new Set();
        let _continue;
        do {
            const list = await core.listNamespacedConfigMap({ namespace, limit: 3, _continue });
            names.push(...list.items.map((item) => item.metadata.name).filter((name) => name.startsWith('page-')));
            revisions.add(list.metadata.resourceVersion);
            _continue = list.metadata._continue;
            await core.patchNamespacedConfigMap({ namespace, name: 'page-9', body: configMap('page-9', { at: `${names.length}` }),
                fieldManager: 'pages' }, patchAs(ServerSideApply));
        } while (_continue);
        assert.deepEqual(names, [0, 1, 2, 3, 4, 5, 6].map((i) => `page-${i}`));
        assert.equal(revisions.size, 1);
    });
    await check('remainingItemCount', async () => {
        const all = (await core.listNamespacedConfigMap({ namespace })).items.length;
        assert.equal((await core.listNamespacedConfigMap({ namespace, limit: 2 })).metadata.remainingItemCount, all - 2);
    });
    await check('a made-up continue is refused', async () => {
        await refused(400, 'BadRequest', () => core.listNamespacedConfigMap({ namespace, limit: 2, _continue: 'made-up' }));
    });
    await check('deletecollection by selector', async () => {
        await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector });
        assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector })).items.length, 0);
        assert.equal((await core.readNamespacedConfigMap({ namespace, name: 'page-9' })).metadata.name, 'page-9');
    });
}

// ---- Watches and informers ------------------------------------------------------------------------------------------------

const CONFIG_MAPS = `/api/v1/namespaces/${namespace}/configmaps`;

// A watch with all that it tells, until it ends: {events: [[type, object]], ended: undefined or [error], controller}.
async function watching(kubeConfig, path, query) {
    const seen = { events: [], ended: undefined };

    seen.controller = await new k8s.Watch(kubeConfig).watch(path, query, (type, object) => seen.events.push([type, object]),
        (error) => { seen.ended = [error]; });
    return seen;
}

const told = (seen) => seen.events.map(([type, object]) => `${type} ${object.metadata.name}`);

async function watches() {
    const before = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
    const write = (name, n) => core.patchNamespacedConfigMap({ namespace, name, fieldManager: 'w',
        body: configMap(name, { n: `${n}` }, { watched: n < 3 ? 'yes' : 'no' }) }, patchAs(ServerSideApply));

    await write('watched', 1);
    await write('watched', 2);
    await check('watch from a resourceVersion: what was missed, then what happens', async () => {
        const seen = await watching(config, CONFIG_MAPS, { resourceVersion: before });
        await until('both changes', () => seen.events.length === 2);
        await core.deleteNamespacedConfigMap({ namespace, name: 'watched' });
        await until('the deletion', () => seen.events.length === 3);
        assert.deepEqual(told(seen), ['ADDED watched', 'MODIFIED watched', 'DELETED watched']);
        const revisions = seen.events.map(([, object]) => Number(object.metadata.resourceVersion));
        assert.deepEqual(revisions, [...revisions].sort((a, b) => a - b));
        seen.controller.abort();
        await until('its end', () => seen.ended);
    });
    await check('watch with a selector: what leaves it is deleted', async () => {
        const seen = await watching(config, CONFIG_MAPS, { labelSelector: 'watched=yes', resourceVersion: before });
        await write('leaves', 1);
        await write('leaves', 3);
        await until('its departure', () => told(seen).includes('DELETED leaves'));
        seen.controller.abort();
    });
    await check('sendInitialEvents: what is there, then the bookmark that says so', async () => {
        const seen = await watching(config, CONFIG_MAPS, { sendInitialEvents: true, allowWatchBookmarks: true,
            resourceVersionMatch: 'NotOlderThan' });
        const mark = await until('a bookmark', () => seen.events.find(([type]) => type === 'BOOKMARK'));
        assert.equal(mark[1].metadata.annotations['k8s.io/initial-events-end'], 'true');
        const all = await core.listNamespacedConfigMap({ namespace });
        assert.equal(seen.events.filter(([type]) => type === 'ADDED').length, all.items.length);
        seen.controller.abort();
    });
    await check('timeoutSeconds: a bookmark, and a clean end', async () => {
        const seen = await watching(config, CONFIG_MAPS, { resourceVersion: before, timeoutSeconds: 2, allowWatchBookmarks: true });
        await until('its end', () => seen.ended);
        assert.equal(seen.ended[0], null);
        const [type, last] = seen.events.at(-1);
        assert.equal(type, 'BOOKMARK');
        assert.ok(Number(last.metadata.resourceVersion) > Number(before));
    });
    await check('a watch of what does not exist ends with 404', async () => {
        const seen = await watching(config, '/api/v1/gadgets', {});
        assert.equal(seen.ended[0].statusCode, 404);
    });
}

function informing(path, list, labelSelector) {
    const informer = k8s.makeInformer(config, path, list, labelSelector);
    const seen = { informer, log: [], connects: 0, errors: [] };

    for (const verb of ['add', 'update', 'delete']) {
        informer.on(verb, (object) => seen.log.push(`${verb} ${object.metadata.name}`));
    }
    informer.on('connect', () => { seen.connects++; });
    informer.on('error', (error) => seen.errors.push(error));
    return seen;
}

async function informers() {
    const labelSelector = 'inform=yes';
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector });
    const create = (name) => core.createNamespacedConfigMap({ namespace, body: configMap(name, { n: '1' }, { inform: 'yes' }) });
    const patch = (name, body) => core.patchNamespacedConfigMap({ namespace, name, body }, patchAs(MergePatch));

    await create('first');
    await check('informer: add, update, delete, and its cache', async () => {
        const seen = informing(CONFIG_MAPS, list, labelSelector);
        await seen.informer.start();
        await create('second');
        await patch('first', { data: { n: '2' } });
        await patch('second', { metadata: { labels: { inform: 'no' } } });
        await core.deleteNamespacedConfigMap({ namespace, name: 'first' });
        await until('all of it', () => seen.log.length >= 5);
        assert.deepEqual(seen.log, ['add first', 'add second', 'update first', 'delete second', 'delete first']);
        assert.deepEqual(seen.informer.list(namespace), []);
        assert.deepEqual(seen.errors, []);
        await seen.informer.stop();
    });
    await check('informer: comes back when its watch has ended, and tells nothing twice', async () => {
        const seen = informing(`${CONFIG_MAPS}?timeoutSeconds=1`, list, labelSelector);
        await create('third');
        await seen.informer.start();
        await until('it has come back', () => seen.connects >= 2);
        await patch('third', { data: { n: '2' } });
        await until('the update', () => seen.log.length >= 2);
        await until('it has come back again', () => seen.connects >= 3);
        assert.deepEqual(seen.log, ['add third', 'update third']);
        assert.deepEqual(seen.errors, []);
        await seen.informer.stop();
    });
    await check('informer: error when its list is refused', async () => {
        const seen = informing(CONFIG_MAPS, () => core.listNamespacedConfigMap({ namespace, fieldSelector: 'data.n=1' }));
        await seen.informer.start();
        await until('the error', () => seen.errors.length);
        assert.equal(seen.errors[0].code, 400);
        await seen.informer.stop();
    });
    await check('informer on pods: phases of a real one', async () => {
        const phases = [];
        const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/pods`,
            () => core.listNamespacedPod({ namespace, labelSelector: 'run=short' }), 'run=short');
        informer.on('change', (object) => phases.push(object.status.phase));
        await informer.start();
        const body = pod('short', ['sh', '-c', 'exit 3']);
        body.spec.restartPolicy = 'Never';
        await core.createNamespacedPod({ namespace, body });
        await until('it has failed', () => phases.includes('Failed'));
        assert.equal(phases[0], 'Pending');
        const { state } = (await core.readNamespacedPod({ namespace, name: 'short' })).status.containerStatuses[0];
        assert.equal(state.terminated.exitCode, 3);
        await informer.stop();
    });
}

// ---- Streams --------------------------------------------------------------------------------------------------------------

// A stream that keeps what is written to it.
function collector() {
    const stream = new PassThrough();

    stream.text = '';
    stream.on('data', (data) => { stream.text += data; });
    return stream;
}

function source(...lines) {
    const stream = new PassThrough();

    lines.forEach((line) => stream.write(line));
    return stream;
}

// A command in the pod "shell", with what it said and how it ended.
async function run(command, stdin = null, tty = false) {
    const out = collector();
    const err = collector();
    let status;

    const socket = await new k8s.Exec(config).exec(namespace, 'shell', 'c', command, out, tty ? null : err, stdin, tty,
        (ended) => { status = ended; });
    await until('its status', () => status);
    socket.close();
    return { out: out.text, err: err.text, status };
}

async function execs() {
    await check('exec: what it says on both streams, and success', async () => {
        const done = await run(['sh', '-c', 'echo out; echo err >&2']);
        assert.deepEqual([done.out, done.err, done.status.status], ['out\n', 'err\n', 'Success']);
    });
    await check('exec: exit status', async () => {
        const { status } = await run(['sh', '-c', 'exit 7']);
        assert.deepEqual([status.status, status.reason], ['Failure', 'NonZeroExitCode']);
        assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '7' }]);
    });
    await check('exec: standard input to its end', async () => {
        const stdin = source('one\n', 'two\n');
        stdin.end();
        const { out, status } = await run(['wc', '-l'], stdin);
        assert.deepEqual([out.trim(), status.status], ['2', 'Success']);
    });
    await check('exec: a megabyte through and back', async () => {
        const stdin = source('x'.repeat(1 << 20));
        stdin.end();
        const { out } = await run(['cat'], stdin);
        assert.equal(out.length, 1 << 20);
    });
    await check('exec: a terminal and its size', async () => {
        const out = Object.assign(collector(), { rows: 33, columns: 77 });
        let status;
        const socket = await new k8s.Exec(config).exec(namespace, 'shell', 'c', ['sh', '-c', 'sleep 0.3; tty; stty size'], out, null,
            source(), true, (ended) => { status = ended; });
        await until('its status', () => status);
        assert.match(out.text, /\/dev\/pts\/\d+\r\n33 77\r\n/);
        socket.close();
    });
    await check('exec: a command that is not there', async () => {
        const { status } = await run(['/no/such/command']);
        assert.equal(status.status, 'Failure');
    });
    await check('exec in a container that is not there', async () => {
        await assert.rejects(new k8s.Exec(config).exec(namespace, 'shell', 'nope', ['true'], null, null, null, false));
    });
    await check('cp to a pod', async () => {
        const sent = `${process.env.SCRATCH}/sent`;
        fs.mkdirSync(sent);
        fs.writeFileSync(`${sent}/letter`, 'dear pod\n');
        await new k8s.Cp(config).cpToPod(namespace, 'shell', 'c', sent, '/tmp');
        await until('it has come', async () => (await run(['cat', '/tmp/letter'])).out === 'dear pod\n');
    });
}

async function streams() {
    await check('attach: says what the process says, hears what we say', async () => {
        const out = collector();
        const socket = await new k8s.Attach(config).attach(namespace, 'echo', 'c', out, null, source('hello\n'), false);
        await until('the echo', () => out.text.includes('heard hello\n'));
        socket.close();
    });
    await check('port-forward: a request through it', async () => {
        const out = collector();
        const err = collector();
        const socket = await new k8s.PortForward(config).portForward(namespace, 'web', [8080], out, err,
            source('GET / HTTP/1.0\r\n\r\n'));
        await until('the page', () => /^HTTP\/1\.\d 200[^]*version 1/.test(out.text));
        assert.equal(err.text, '');
        socket.close();
    });
    await check('port-forward to a port where nobody listens: the error stream says so', async () => {
        const err = collector();
        const socket = await new k8s.PortForward(config, false).portForward(namespace, 'web', [9], collector(), err, source('x'));
        await until('the error', () => err.text.length > 0);
        socket.close();
    });
    await check('logs: all, the last, followed', async () => {
        assert.match(await core.readNamespacedPodLog({ namespace, name: 'counting' }), /^line 1\nline 2\n/);
        assert.match(await core.readNamespacedPodLog({ namespace, name: 'counting', tailLines: 1 }), /^line \d+\n$/);
        const out = collector();
        const controller = await new k8s.Log(config).log(namespace, 'counting', 'c', out, { follow: true, tailLines: 2, timestamps: true });
        await until('five lines', () => out.text.split('\n').length > 5);
        const lines = out.text.trimEnd().split('\n').map((line) => /^\d{4}-[\d:.T-]+Z line (\d+)$/.exec(line));
        assert.ok(lines.every(Boolean), out.text);
        lines.reduce((before, [, n]) => (assert.equal(Number(n), before + 1), Number(n)), Number(lines[0][1]) - 1);
        controller.abort();
    });
    await check('logs of a container that is not there', async () => {
        await refused(400, 'BadRequest', () => core.readNamespacedPodLog({ namespace, name: 'counting', container: 'nope' }));
    });
    await check('proxy to a pod', async () => {
        assert.match(await core.connectGetNamespacedPodProxyWithPath({ namespace, name: 'web:8080', path: '' }), /version 1/);
    });
    await check('eviction', async () => {
        const name = 'counting';
        await core.createNamespacedPodEviction({ namespace, name, body: { metadata: { name, namespace } } });
        await until('it is gone', () => refused(404, 'NotFound', () => core.readNamespacedPod({ namespace, name })));
    });
}

// ---- Leader election ------------------------------------------------------------------------------------------------------

// One try of a candidate to hold the Lease, as client-go's leader election makes it: whether it leads then.
async function tryToLead(api, name, identity, seconds) {
    const now = new k8s.V1MicroTime();
    const mine = { holderIdentity: identity, leaseDurationSeconds: seconds, acquireTime: now, renewTime: now };
    let lease;

    try {
        lease = await api.readNamespacedLease({ namespace, name });
    } catch (error) {
        assert.equal(error.code, 404, explain(error));
    }
    try {
        if (!lease) {
            await api.createNamespacedLease({ namespace, body: { metadata: { name }, spec: { ...mine, leaseTransitions: 0 } } });
            return true;
        }
        const { holderIdentity, renewTime, leaseDurationSeconds, acquireTime, leaseTransitions = 0 } = lease.spec;
        const held = holderIdentity && Date.parse(renewTime) + leaseDurationSeconds * 1000 > now.getTime();
        if (held && holderIdentity !== identity) {
            return false;
        }
        lease.spec = holderIdentity === identity ? { ...mine, acquireTime, leaseTransitions } :
            { ...mine, leaseTransitions: leaseTransitions + 1 };
        await api.replaceNamespacedLease({ namespace, name, body: lease });
        return true;
    } catch (error) {
        assert.equal(error.code, 409, explain(error));
        return false;
    }
}

async function leaderElection() {
    const candidates = ['head-1', 'head-2', 'head-3'].map((context) =>
        ({ identity: `at-${context}`, api: configFor(context).makeApiClient(k8s.CoordinationV1Api) }));
    const compete = async () => {
        const won = await Promise.all(candidates.map(({ api, identity }) => tryToLead(api, 'crown', identity, 1)));
        return candidates.filter((_, i) => won[i]);
    };

    await check('leader election by Lease: of three at three heads, one leads', async () => {
        const [first, ...others] = await compete();
        assert.ok(first && others.length === 0);
        for (let i = 0; i < 5; i++) {
            assert.deepEqual((await compete()).map(({ identity }) => identity), [first.identity]);
        }
        const { api } = first;
        candidates.splice(candidates.indexOf(first), 1);    // it falls silent: after its term another one leads
        const next = await until('another leads', async () => (await compete())[0]);
        const { spec } = await api.readNamespacedLease({ namespace, name: 'crown' });
        assert.deepEqual([spec.holderIdentity, spec.leaseTransitions], [next.identity, 1]);
    });
}

// ---- A head dies ----------------------------------------------------------------------------------------------------------

// Numbers written one after the other through heads that live; what a dying head left unanswered may be done already.
async function writeNumbers(contexts, last, progress) {
    const apis = contexts.map((context) => configFor(context).makeApiClient(k8s.CoreV1Api));

    for (let n = 1; n <= last; n++) {
        await until(`write ${n}`, async () => {
            try {
                await apis[n % apis.length].createNamespacedConfigMap({ namespace, body: configMap(`n-${n}`, undefined, { n: 'yes' }) });
                return true;
            } catch (error) {
                return error.code === 409;
            }
        });
        progress(n);
    }
}

// Watches through one head after the other, each time from where the one before ended, until all is seen or time is up.
async function watchAcross(contexts, resourceVersion, names, wanted) {
    for (let turn = 0; names.length < wanted; turn++) {
        await new Promise((resolve) => {
            new k8s.Watch(configFor(contexts[turn % contexts.length])).watch(CONFIG_MAPS, { resourceVersion, labelSelector: 'n=yes' },
                (type, object) => {
                    assert.equal(type, 'ADDED');
                    names.push(object.metadata.name);
                    ({ resourceVersion } = object.metadata);
                    if (names.length >= wanted) {
                        resolve();
                    }
                }, resolve).then(undefined, resolve);
        });
        await sleep(20);
    }
}

async function aHeadDies() {
    const leader = Number(process.env.LEADER);
    const pids = process.env.HEAD_PIDS.split(' ').map(Number);
    const others = ['head-1', 'head-2', 'head-3'].filter((context) => context !== `head-${leader}`);

    await check('kill -9 of the leading head, which is watched: nothing is missed, nothing told twice', async () => {
        const { resourceVersion } = (await core.listNamespacedConfigMap({ namespace })).metadata;
        const names = [];
        const watched = watchAcross([`head-${leader}`, ...others], resourceVersion, names, 60);
        await writeNumbers(others, 60, (n) => {
            if (n === 20) {
                process.kill(pids[leader - 1], 'SIGKILL');
            }
        });
        await watched;
        assert.deepEqual(names, Array.from({ length: 60 }, (_, i) => `n-${i + 1}`));
    });
    await check('the head is back, and knows it all', async () => {
        const back = configFor(`head-${leader}`).makeApiClient(k8s.CoreV1Api);
        const list = await until('a list', () => back.listNamespacedConfigMap({ namespace, labelSelector: 'n=yes' }));
        assert.equal(list.items.length, 60);
    });
}

// ---- All of it ------------------------------------------------------------------------------------------------------------

await core.createNamespace({ body: { metadata: { name: namespace } } });
await until('its service account', () => core.readNamespacedServiceAccount({ namespace, name: 'default' }));
const PODS = [
    pod('shell', ['sleep', '1000000']),
    pod('web'),
    pod('echo', ['sh', '-c', 'while read line; do echo heard $line; done'], { stdin: true }),
    pod('counting', ['sh', '-c', 'i=0; while true; do i=$((i+1)); echo line $i; [ $i -lt 9 ] || sleep 0.1; done']),
];
for (const body of PODS) {
    await core.createNamespacedPod({ namespace, body });
}
await theServer();
for (const row of KINDS) {
    await check(`typed API: every verb of ${row[1].kind}`, () => typedVerbs(row));
    await check(`KubernetesObjectApi: every verb of ${row[1].kind}`, () => objectVerbs(row));
}
await moreVerbs();
await patches();
await errors();
await lists();
await watches();
await informers();
await check('the pods are ready', () => until('ready', async () => {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector: `run in (shell,web,echo,counting)` });
    return items.every((item) => item.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True'));
}));
await execs();
await streams();
await leaderElection();
await aHeadDies();
process.exit(0);
