// test/e2e/client_node/main.mjs LIBRARY: what programs do with @kubernetes/client-node.
//
// Run by client_node_test.sh; the library is below LIBRARY/node_modules, the cluster is that of $KUBECONFIG, whose
// contexts head-1 .. head-3 name its heads, $HEAD_PIDS their processes and $LEADER the one that leads.
import { check, core, namespace, pod, until } from './lib.mjs';
import { aHeadDies, leaderElection } from './heads.mjs';
import { errors, lists, moreVerbs, patches, theServer } from './requests.mjs';
import { execs, streams } from './streams.mjs';
import { everyVerb } from './verbs.mjs';
import { informers, watches } from './watches.mjs';

await core.createNamespace({ body: { metadata: { name: namespace } } });
await until('its service account', () => core.readNamespacedServiceAccount({ namespace, name: 'default' }));
const PODS = [
    pod('shell', ['sleep', '1000000']),
    pod('web'),
    pod('echo', ['sh', '-c', 'while read line; do echo heard $line; done'], { stdin: true }),
    pod('counting', [
        'sh',
        '-c',
        'i=0; while true; do i=$((i+1)); echo line $i; [ $i -lt 9 ] || sleep 0.1; done',
    ]),
];
for (const body of PODS) {
    await core.createNamespacedPod({ namespace, body });
}
await theServer();
await everyVerb();
await moreVerbs();
await patches();
await errors();
await lists();
await watches();
await informers();
await check('the pods are ready', () =>
    until('ready', async () => {
        const { items } = await core.listNamespacedPod({
            namespace,
            labelSelector: `run in (shell,web,echo,counting)`,
        });
        return items.every((item) =>
            item.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
        );
    }),
);
await execs();
await streams();
await leaderElection();
await aHeadDies();
process.exit(0);
