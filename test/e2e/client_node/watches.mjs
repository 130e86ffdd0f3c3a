// test/e2e/client_node/watches.mjs: watches, and the informers made of them.
import assert from 'node:assert/strict';
import {
    check,
    config,
    CONFIG_MAPS,
    configMap,
    core,
    k8s,
    MergePatch,
    namespace,
    patchAs,
    pod,
    ServerSideApply,
    until,
} from './lib.mjs';

// A watch with all that it tells, until it ends: {events: [[type, object]], ended: none or [error]}.
async function watching(kubeConfig, path, query) {
    const seen = { events: [], ended: undefined };

    seen.controller = await new k8s.Watch(kubeConfig).watch(
        path,
        query,
        (type, object) => seen.events.push([type, object]),
        (error) => {
            seen.ended = [error];
        },
    );
    return seen;
}

const told = (seen) => seen.events.map(([type, object]) => `${type} ${object.metadata.name}`);

export async function watches() {
    const before = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
    const write = (name, n) =>
        core.patchNamespacedConfigMap(
            {
                namespace,
                name,
                fieldManager: 'w',
                body: configMap(name, { n: `${n}` }, { watched: n < 3 ? 'yes' : 'no' }),
            },
            patchAs(ServerSideApply),
        );

    await write('watched', 1);
    await write('watched', 2);
    await check('watch from a resourceVersion: what was missed, then what happens', async () => {
        const seen = await watching(config, CONFIG_MAPS, { resourceVersion: before });
        await until('both changes', () => seen.events.length === 2);
        await core.deleteNamespacedConfigMap({ namespace, name: 'watched' });
        await until('the deletion', () => seen.events.length === 3);
        assert.deepEqual(told(seen), ['ADDED watched', 'MODIFIED watched', 'DELETED watched']);
        const revisions = seen.events.map(([, object]) => Number(object.metadata.resourceVersion));
        assert.deepEqual(
            revisions,
            [...revisions].sort((a, b) => a - b),
        );
        seen.controller.abort();
        await until('its end', () => seen.ended);
    });
    await check('watch with a selector: what leaves it is deleted', async () => {
        const seen = await watching(config, CONFIG_MAPS, {
            labelSelector: 'watched=yes',
            resourceVersion: before,
        });
        await write('leaves', 1);
        await write('leaves', 3);
        await until('its departure', () => told(seen).includes('DELETED leaves'));
        seen.controller.abort();
    });
    await check('sendInitialEvents: what is there, then the bookmark that says so', async () => {
        const seen = await watching(config, CONFIG_MAPS, {
            sendInitialEvents: true,
            allowWatchBookmarks: true,
            resourceVersionMatch: 'NotOlderThan',
        });
        const mark = await until('a bookmark', () => seen.events.find(([type]) => type === 'BOOKMARK'));
        assert.equal(mark[1].metadata.annotations['k8s.io/initial-events-end'], 'true');
        const all = await core.listNamespacedConfigMap({ namespace });
        assert.equal(seen.events.filter(([type]) => type === 'ADDED').length, all.items.length);
        seen.controller.abort();
    });
    await check('timeoutSeconds: a bookmark, and a clean end', async () => {
        const seen = await watching(config, CONFIG_MAPS, {
            resourceVersion: before,
            timeoutSeconds: 2,
            allowWatchBookmarks: true,
        });
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
    informer.on('connect', () => {
        seen.connects++;
    });
    informer.on('error', (error) => seen.errors.push(error));
    return seen;
}

export async function informers() {
    const labelSelector = 'inform=yes';
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector });
    const create = (name) =>
        core.createNamespacedConfigMap({ namespace, body: configMap(name, { n: '1' }, { inform: 'yes' }) });
    const patch = (name, body) =>
        core.patchNamespacedConfigMap({ namespace, name, body }, patchAs(MergePatch));

    await create('first');
    await check('informer: add, update, delete, and its cache', async () => {
        const seen = informing(CONFIG_MAPS, list, labelSelector);
        await seen.informer.start();
        await create('second');
        await patch('first', { data: { n: '2' } });
        await patch('second', { metadata: { labels: { inform: 'no' } } });
        await core.deleteNamespacedConfigMap({ namespace, name: 'first' });
        await until('all of it', () => seen.log.length >= 5);
        assert.deepEqual(seen.log, [
            'add first',
            'add second',
            'update first',
            'delete second',
            'delete first',
        ]);
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
        const seen = informing(CONFIG_MAPS, () =>
            core.listNamespacedConfigMap({ namespace, fieldSelector: 'data.n=1' }),
        );
        await seen.informer.start();
        await until('the error', () => seen.errors.length);
        assert.equal(seen.errors[0].code, 400);
        await seen.informer.stop();
    });
    await check('informer on pods: phases of a real one', async () => {
        const phases = [];
        const informer = k8s.makeInformer(
            config,
            `/api/v1/namespaces/${namespace}/pods`,
            () => core.listNamespacedPod({ namespace, labelSelector: 'run=short' }),
            'run=short',
        );
        informer.on('change', (object) => phases.push(object.status.phase));
        await informer.start();
        const body = pod('short', ['sh', '-c', 'exit 3']);
        body.spec.restartPolicy = 'Never';
        await core.createNamespacedPod({ namespace, body });
        await until('it has failed', () => phases.includes('Failed'));
        assert.equal(phases[0], 'Pending');
        const { state } = (await core.readNamespacedPod({ namespace, name: 'short' })).status
            .containerStatuses[0];
        assert.equal(state.terminated.exitCode, 3);
        await informer.stop();
    });
}
