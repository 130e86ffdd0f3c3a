// test/e2e/client_node/verbs.mjs: every verb on many kinds, with the typed API and with KubernetesObjectApi.
import assert from 'node:assert/strict';
import {
    check,
    config,
    image,
    k8s,
    MergePatch,
    namespace,
    objects,
    patchAs,
    refused,
    until,
} from './lib.mjs';

// Kinds to go through every verb: [API, whole object, [path, another value there]].
export const labelled = { app: 'x' };
export const template = { metadata: { labels: labelled }, spec: { containers: [{ name: 'c', image }] } };
const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
const KINDS = [
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } }, ['data', { a: '2' }]],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'Secret', data: { a: 'MQ==' } }, ['data', { a: 'Mg==' }]],
    [
        k8s.CoreV1Api,
        {
            apiVersion: 'v1',
            kind: 'Service',
            spec: { selector: labelled, ports: [{ port: 80, targetPort: 'http' }] },
        },
        ['spec.selector', { app: 'y' }],
    ],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'ServiceAccount' }, ['automountServiceAccountToken', false]],
    [
        k8s.CoreV1Api,
        {
            apiVersion: 'v1',
            kind: 'PersistentVolumeClaim',
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
        ['metadata.labels', { a: 'b' }],
    ],
    [
        k8s.CoreV1Api,
        { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { pods: '10' } } },
        ['spec.hard', { pods: '20' }],
    ],
    [k8s.CoreV1Api, { apiVersion: 'v1', kind: 'Namespace' }, ['metadata.labels.a', 'b']],
    [
        k8s.AppsV1Api,
        {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            spec: { replicas: 0, selector: { matchLabels: labelled }, template },
        },
        ['spec.revisionHistoryLimit', 3],
    ],
    [
        k8s.AppsV1Api,
        {
            apiVersion: 'apps/v1',
            kind: 'StatefulSet',
            spec: { replicas: 0, serviceName: 's', selector: { matchLabels: labelled }, template },
        },
        ['spec.minReadySeconds', 1],
    ],
    [
        k8s.BatchV1Api,
        {
            apiVersion: 'batch/v1',
            kind: 'CronJob',
            spec: {
                schedule: '0 0 1 1 *',
                suspend: true,
                jobTemplate: {
                    spec: {
                        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] } },
                    },
                },
            },
        },
        ['spec.schedule', '0 0 2 2 *'],
    ],
    [
        k8s.NetworkingV1Api,
        {
            apiVersion: 'networking.k8s.io/v1',
            kind: 'Ingress',
            spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
        },
        ['spec.defaultBackend.service.port', { name: 'http' }],
    ],
    [
        k8s.PolicyV1Api,
        {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            spec: { minAvailable: '50%', selector: { matchLabels: labelled } },
        },
        ['spec.minAvailable', 1],
    ],
    [
        k8s.AutoscalingV2Api,
        {
            apiVersion: 'autoscaling/v2',
            kind: 'HorizontalPodAutoscaler',
            spec: {
                maxReplicas: 3,
                scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
            },
        },
        ['spec.maxReplicas', 4],
    ],
    [
        k8s.RbacAuthorizationV1Api,
        { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: [rule] },
        ['rules', [{ ...rule, verbs: ['list'] }]],
    ],
    [
        k8s.RbacAuthorizationV1Api,
        { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', rules: [rule] },
        ['rules', [{ ...rule, verbs: ['list'] }]],
    ],
    [
        k8s.SchedulingV1Api,
        { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', value: 7 },
        ['description', 'seven'],
    ],
    [
        k8s.StorageV1Api,
        { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', provisioner: 'example.com/none' },
        ['allowVolumeExpansion', true],
    ],
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

async function typedVerbs([Api, object, [path, value]]) {
    const api = config.makeApiClient(Api);
    const wide = CLUSTER_WIDE.has(object.kind);
    const scope = wide ? {} : { namespace };
    const name = `typed-${object.kind.toLowerCase()}`;
    const call = (verb, more, options) =>
        api[`${verb}${wide ? '' : 'Namespaced'}${object.kind}`]({ ...scope, ...more }, options);

    const made = await call('create', { body: { ...structuredClone(object), metadata: { name, ...scope } } });
    assert.ok(made.metadata.creationTimestamp instanceof Date);
    const read = await call('read', { name });
    assert.equal(read.metadata.uid, made.metadata.uid);
    const { apiVersion, kind, ...content } = object;
    holds(read, content);
    assert.deepEqual([read.apiVersion, read.kind], [apiVersion, kind]);

    // A replacement of what others have changed since is refused; of what is as it was read, done.
    const patched = await call(
        'patch',
        { name, body: { metadata: { annotations: { by: 'patch' } } } },
        patchAs(MergePatch),
    );
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
    assert.deepEqual(
        list.items.map((item) => item.metadata.uid),
        [made.metadata.uid],
    );
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
    const list = await objects.list(
        object.apiVersion,
        object.kind,
        metadata.namespace,
        undefined,
        undefined,
        undefined,
        `metadata.name=${metadata.name}`,
    );
    assert.equal(list.items.length, 1);
    await objects.delete(change);
    await until('it is gone', () => refused(404, 'NotFound', () => objects.read(change)));
}

export async function everyVerb() {
    for (const row of KINDS) {
        await check(`typed API: every verb of ${row[1].kind}`, () => typedVerbs(row));
        await check(`KubernetesObjectApi: every verb of ${row[1].kind}`, () => objectVerbs(row));
    }
}
