// test/e2e/client_node/heads.mjs: leader election of clients at several heads; a watched head dies.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, CONFIG_MAPS, configFor, configMap, core, explain, k8s, namespace, until } from './lib.mjs';

// ---- Leader election -------------------------------------------------------------------------------------

// One try of a candidate to hold the Lease, as client-go's leader election makes it: whether it leads then.
async function tryToLead(api, name, identity, seconds) {
    const now = new k8s.V1MicroTime();
    const mine = {
        holderIdentity: identity,
        leaseDurationSeconds: seconds,
        acquireTime: now,
        renewTime: now,
    };
    let lease;

    try {
        lease = await api.readNamespacedLease({ namespace, name });
    } catch (error) {
        assert.equal(error.code, 404, explain(error));
    }
    try {
        if (!lease) {
            await api.createNamespacedLease({
                namespace,
                body: { metadata: { name }, spec: { ...mine, leaseTransitions: 0 } },
            });
            return true;
        }
        const {
            holderIdentity,
            renewTime,
            leaseDurationSeconds,
            acquireTime,
            leaseTransitions = 0,
        } = lease.spec;
        const held = holderIdentity && Date.parse(renewTime) + leaseDurationSeconds * 1000 > now.getTime();
        if (held && holderIdentity !== identity) {
            return false;
        }
        lease.spec =
            holderIdentity === identity
                ? { ...mine, acquireTime, leaseTransitions }
                : { ...mine, leaseTransitions: leaseTransitions + 1 };
        await api.replaceNamespacedLease({ namespace, name, body: lease });
        return true;
    } catch (error) {
        assert.equal(error.code, 409, explain(error));
        return false;
    }
}

export async function leaderElection() {
    const candidates = ['head-1', 'head-2', 'head-3'].map((context) => ({
        identity: `at-${context}`,
        api: configFor(context).makeApiClient(k8s.CoordinationV1Api),
    }));
    const compete = async () => {
        const won = await Promise.all(
            candidates.map(({ api, identity }) => tryToLead(api, 'crown', identity, 1)),
        );
        return candidates.filter((_, i) => won[i]);
    };

    await check('leader election by Lease: of three at three heads, one leads', async () => {
        const [first, ...others] = await compete();
        assert.ok(first && others.length === 0);
        for (let i = 0; i < 5; i++) {
            assert.deepEqual(
                (await compete()).map(({ identity }) => identity),
                [first.identity],
            );
        }
        const { api } = first;
        candidates.splice(candidates.indexOf(first), 1); // it falls silent: after its term another one leads
        const next = await until('another leads', async () => (await compete())[0]);
        const { spec } = await api.readNamespacedLease({ namespace, name: 'crown' });
        assert.deepEqual([spec.holderIdentity, spec.leaseTransitions], [next.identity, 1]);
    });
}

// ---- A head dies -----------------------------------------------------------------------------------------

// Numbers written one after the other through heads that live; what a dying head left
// unanswered may be done already.
async function writeNumbers(contexts, last, progress) {
    const apis = contexts.map((context) => configFor(context).makeApiClient(k8s.CoreV1Api));

    for (let n = 1; n <= last; n++) {
        await until(`write ${n}`, async () => {
            try {
                await apis[n % apis.length].createNamespacedConfigMap({
                    namespace,
                    body: configMap(`n-${n}`, undefined, { n: 'yes' }),
                });
                return true;
            } catch (error) {
                return error.code === 409;
            }
        });
        progress(n);
    }
}

// Watches through one head after the other, each time from where the one before ended, until all is seen.
async function watchAcross(contexts, resourceVersion, names, wanted) {
    for (let turn = 0; names.length < wanted; turn++) {
        await new Promise((resolve) => {
            new k8s.Watch(configFor(contexts[turn % contexts.length]))
                .watch(
                    CONFIG_MAPS,
                    { resourceVersion, labelSelector: 'n=yes' },
                    (type, object) => {
                        assert.equal(type, 'ADDED');
                        names.push(object.metadata.name);
                        ({ resourceVersion } = object.metadata);
                        if (names.length >= wanted) {
                            resolve();
                        }
                    },
                    resolve,
                )
                .then(undefined, resolve);
        });
        await sleep(20);
    }
}

export async function aHeadDies() {
    const leader = Number(process.env.LEADER);
    const pids = process.env.HEAD_PIDS.split(' ').map(Number);
    const others = ['head-1', 'head-2', 'head-3'].filter((context) => context !== `head-${leader}`);

    await check(
        'kill -9 of the leading head, which is watched: nothing is missed, nothing told twice',
        async () => {
            const { resourceVersion } = (await core.listNamespacedConfigMap({ namespace })).metadata;
            const names = [];
            const watched = watchAcross([`head-${leader}`, ...others], resourceVersion, names, 60);
            await writeNumbers(others, 60, (n) => {
                if (n === 20) {
                    process.kill(pids[leader - 1], 'SIGKILL');
                }
            });
            await watched;
            assert.deepEqual(
                names,
                Array.from({ length: 60 }, (_, i) => `n-${i + 1}`),
            );
        },
    );
    await check('the head is back, and knows it all', async () => {
        const back = configFor(`head-${leader}`).makeApiClient(k8s.CoreV1Api);
        const list = await until('a list', () =>
            back.listNamespacedConfigMap({ namespace, labelSelector: 'n=yes' }),
        );
        assert.equal(list.items.length, 60);
    });
}
