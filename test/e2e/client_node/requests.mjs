// test/e2e/client_node/requests.mjs: the server's own answers, patches, errors, lists.
import assert from 'node:assert/strict';
import {
    apps,
    check,
    config,
    configMap,
    core,
    image,
    JsonPatch,
    k8s,
    MergePatch,
    namespace,
    objects,
    patchAs,
    pod,
    refused,
    ServerSideApply,
    StrategicMergePatch,
    until,
} from './lib.mjs';
import { labelled, template } from './verbs.mjs';

// ---- The server ------------------------------------------------------------------------------------------

export async function theServer() {
    await check('VersionApi', async () => {
        const version = await config.makeApiClient(k8s.VersionApi).getCode();
        assert.match(version.gitVersion, /^v1\./);
    });
    await check('ApisApi, CoreApi: the groups and versions', async () => {
        const groups = await config.makeApiClient(k8s.ApisApi).getAPIVersions();
        assert.ok(
            groups.groups.some((group) => group.name === 'apps' && group.preferredVersion.version === 'v1'),
        );
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
            body: { spec: { resourceAttributes: { verb: 'delete', resource: 'nodes' } } },
        });
        assert.equal(review.status.allowed, true);
        const self = await config
            .makeApiClient(k8s.AuthenticationV1Api)
            .createSelfSubjectReview({ body: {} });
        assert.ok(self.status.userInfo.groups.includes('system:masters'));
    });
}

export async function moreVerbs() {
    await check('CustomObjectsApi: any kind by its path', async () => {
        const custom = config.makeApiClient(k8s.CustomObjectsApi);
        const where = { group: 'apps', version: 'v1', namespace, plural: 'deployments' };
        await custom.createNamespacedCustomObject({
            ...where,
            body: {
                apiVersion: 'apps/v1',
                kind: 'Deployment',
                metadata: { name: 'custom' },
                spec: { replicas: 0, selector: { matchLabels: labelled }, template },
            },
        });
        const list = await custom.listNamespacedCustomObject(where);
        assert.ok(list.items.some((item) => item.metadata.name === 'custom'));
        await custom.patchNamespacedCustomObject({
            ...where,
            name: 'custom',
            body: [{ op: 'add', path: '/spec/minReadySeconds', value: 2 }],
        });
        assert.equal(
            (await custom.getNamespacedCustomObject({ ...where, name: 'custom' })).spec.minReadySeconds,
            2,
        );
        await custom.deleteNamespacedCustomObject({ ...where, name: 'custom' });
    });
    await check('a manifest of several documents: loadAllYaml, create, read, delete', async () => {
        const all =
            k8s.loadAllYaml(`{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: ${namespace}}}
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
        const made = await core.createNamespacedConfigMap({
            namespace,
            body: configMap('ghost'),
            dryRun: 'All',
        });
        assert.ok(made.metadata.uid);
        await refused(404, 'NotFound', () => core.readNamespacedConfigMap({ namespace, name: 'ghost' }));
    });
    await check('generateName', async () => {
        const body = { metadata: { generateName: 'made-' } };
        const made = await core.createNamespacedConfigMap({ namespace, body });
        assert.match(made.metadata.name, /^made-[a-z0-9]{5}$/);
    });
    await check('scale and status are resources of their own', async () => {
        await apps.createNamespacedDeployment({
            namespace,
            body: {
                metadata: { name: 'scaled' },
                spec: { replicas: 0, paused: true, selector: { matchLabels: labelled }, template },
            },
        });
        const scale = await until('no conflict', async () => {
            const read = await apps.readNamespacedDeploymentScale({ namespace, name: 'scaled' });
            read.spec.replicas = 1;
            return apps.replaceNamespacedDeploymentScale({ namespace, name: 'scaled', body: read });
        });
        assert.equal(scale.spec.replicas, 1);
        assert.equal(
            (await apps.readNamespacedDeploymentStatus({ namespace, name: 'scaled' })).spec.replicas,
            1,
        );
        await apps.deleteNamespacedDeployment({ namespace, name: 'scaled' });
    });
}

// ---- Patches ---------------------------------------------------------------------------------------------

export async function patches() {
    const name = 'patched';
    const patch = (body, strategy, more) =>
        apps.patchNamespacedDeployment({ namespace, name, body, ...more }, patchAs(strategy));
    const images = (deployment) =>
        deployment.spec.template.spec.containers.map((c) => `${c.name}=${c.image}`).sort();

    await apps.createNamespacedDeployment({
        namespace,
        body: { metadata: { name }, spec: { replicas: 0, selector: { matchLabels: labelled }, template } },
    });
    await check('strategic merge patch: containers merge by name', async () => {
        const done = await patch(
            { spec: { template: { spec: { containers: [{ name: 'd', image: 'two' }] } } } },
            StrategicMergePatch,
        );
        assert.deepEqual(images(done), [`c=${image}`, 'd=two']);
        const less = await patch(
            { spec: { template: { spec: { containers: [{ name: 'd', $patch: 'delete' }] } } } },
            StrategicMergePatch,
        );
        assert.deepEqual(images(less), [`c=${image}`]);
    });
    await check('merge patch: a list is replaced, null removes', async () => {
        const done = await patch(
            {
                metadata: { labels: { a: '1' } },
                spec: { template: { spec: { containers: [{ name: 'e', image: 'three' }] } } },
            },
            MergePatch,
        );
        assert.deepEqual(images(done), ['e=three']);
        assert.equal(
            (await patch({ metadata: { labels: { a: null } } }, MergePatch)).metadata.labels?.a,
            undefined,
        );
    });
    await check('JSON patch: in order, or not at all', async () => {
        const path = '/spec/template/spec/containers/0/image';
        const done = await patch(
            [
                { op: 'test', path, value: 'three' },
                { op: 'replace', path, value: 'four' },
            ],
            JsonPatch,
        );
        assert.deepEqual(images(done), ['e=four']);
        await refused(422, 'Invalid', () =>
            patch(
                [
                    { op: 'replace', path, value: 'five' },
                    { op: 'test', path, value: 'x' },
                ],
                JsonPatch,
            ),
        );
        assert.deepEqual(images(await apps.readNamespacedDeployment({ namespace, name })), ['e=four']);
    });
    await check('server-side apply: creates, owns, conflicts, forces', async () => {
        const apply = (fieldManager, data, force) =>
            core.patchNamespacedConfigMap(
                { namespace, name: 'applied', body: configMap('applied', data), fieldManager, force },
                patchAs(ServerSideApply),
            );
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
        const done = await objects.patch(
            configMap('applied-too', { k: 'v' }),
            undefined,
            undefined,
            'me',
            true,
            ServerSideApply,
        );
        assert.equal(done.data.k, 'v');
    });
    await check('an unknown patch type is refused', async () => {
        await refused(415, 'UnsupportedMediaType', () => patch({}, 'application/unknown'));
    });
    await apps.deleteNamespacedDeployment({ namespace, name });
}

// ---- Errors ----------------------------------------------------------------------------------------------

export async function errors() {
    await check('404 names what is not there', async () => {
        const status = await refused(404, 'NotFound', () =>
            core.readNamespacedPod({ namespace, name: 'nope' }),
        );
        assert.equal(status.message, 'pods "nope" not found');
        assert.deepEqual([status.details.name, status.details.kind], ['nope', 'pods']);
    });
    await check('409 on a name that is taken', async () => {
        await core.createNamespacedConfigMap({ namespace, body: configMap('taken') });
        await refused(409, 'AlreadyExists', () =>
            core.createNamespacedConfigMap({ namespace, body: configMap('taken') }),
        );
    });
    await check('422 with a cause for every fault', async () => {
        const body = pod('Bad_Name', undefined, {
            image: '',
            imagePullPolicy: 'Never',
            ports: [{ containerPort: 70000 }],
        });
        const status = await refused(422, 'Invalid', () => core.createNamespacedPod({ namespace, body }));
        const fields = status.details.causes.map((cause) => cause.field);
        for (const field of [
            'metadata.name',
            'spec.containers[0].image',
            'spec.containers[0].ports[0].containerPort',
        ]) {
            assert.ok(fields.includes(field), `${field} in ${fields}`);
        }
    });
    await check('400 on a body of another kind or namespace', async () => {
        await refused(400, 'BadRequest', () =>
            core.createNamespacedConfigMap({
                namespace,
                body: { ...configMap('other'), metadata: { name: 'other', namespace: 'elsewhere' } },
            }),
        );
    });
    await check('403 and 401: a service account and its token, a token of nobody', async () => {
        await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'robot' } } });
        const token = await core.createNamespacedServiceAccountToken({
            namespace,
            name: 'robot',
            body: { spec: { audiences: [] } },
        });
        const status = await refused(403, 'Forbidden', () =>
            asToken(token.status.token).listNamespacedSecret({ namespace }),
        );
        assert.match(
            status.message,
            /User "system:serviceaccount:client-node:robot" cannot list resource "secrets"/,
        );
        // The library keeps no body of a 401.
        await assert.rejects(asToken('nonsense').listNamespacedSecret({ namespace }), { code: 401 });
    });
}

function asToken(token) {
    const other = new k8s.KubeConfig();
    const cluster = config.getCurrentCluster();

    other.loadFromClusterAndUser(cluster, { name: 'token', token });
    return other.makeApiClient(k8s.CoreV1Api);
}

// ---- Lists -----------------------------------------------------------------------------------------------

export async function lists() {
    const labelSelector = 'page=yes';

    for (let i = 0; i < 7; i++) {
        await core.createNamespacedConfigMap({
            namespace,
            body: configMap(`page-${i}`, undefined, { page: 'yes' }),
        });
    }
    await check('limit and continue: all pages are of one moment', async () => {
        const names = [];
        const revisions = new Set();
        let _continue;
        do {
            const list = await core.listNamespacedConfigMap({ namespace, limit: 3, _continue });
            names.push(
                ...list.items.map((item) => item.metadata.name).filter((name) => name.startsWith('page-')),
            );
            revisions.add(list.metadata.resourceVersion);
            _continue = list.metadata._continue;
            await core.patchNamespacedConfigMap(
                {
                    namespace,
                    name: 'page-9',
                    body: configMap('page-9', { at: `${names.length}` }),
                    fieldManager: 'pages',
                },
                patchAs(ServerSideApply),
            );
        } while (_continue);
        assert.deepEqual(
            names,
            [0, 1, 2, 3, 4, 5, 6].map((i) => `page-${i}`),
        );
        assert.equal(revisions.size, 1);
    });
    await check('remainingItemCount', async () => {
        const all = (await core.listNamespacedConfigMap({ namespace })).items.length;
        assert.equal(
            (await core.listNamespacedConfigMap({ namespace, limit: 2 })).metadata.remainingItemCount,
            all - 2,
        );
    });
    await check('a made-up continue is refused', async () => {
        await refused(400, 'BadRequest', () =>
            core.listNamespacedConfigMap({ namespace, limit: 2, _continue: 'made-up' }),
        );
    });
    await check('deletecollection by selector', async () => {
        await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector });
        assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector })).items.length, 0);
        assert.equal(
            (await core.readNamespacedConfigMap({ namespace, name: 'page-9' })).metadata.name,
            'page-9',
        );
    });
}
