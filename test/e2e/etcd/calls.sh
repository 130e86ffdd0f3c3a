#!/bin/bash
# test/e2e/etcd/calls.sh ENDPOINT: a row of etcdctl commands against an empty store, and what they print, without what
# differs from one cluster to the next (ids, terms).  calls.txt is what etcd 3.4.23 prints.
export ETCDCTL_API=3
endpoint=$1
e() {
    echo "\$ $*" | sed -E "s/[0-9a-f]{12,16}/ID/"
    # shellcheck disable=SC2086
    timeout "${T:-10}" etcdctl --endpoints="$endpoint" $ETCDCTL_FLAGS "$@" 2>&1 | sed -E '/^\{"level/d; /^$/d
        s/"(cluster_id|member_id|raft_term)":[0-9]+,?//g; s/"ID":[0-9]+/"ID":N/; s/[0-9a-f]{12,16}/ID/g; s/\[[^]]*:[0-9]+\]/[ENDPOINT]/'
}
txn() { printf "$1" | e txn -w json; }

e put a 1; e put b 2; e put b 3; e put c 4 -w json; e get a; e get "" --prefix; e get "" --from-key -w json
e get a c -w json; e get b --rev=3 -w json; e get b --rev=99; e get a --keys-only --prefix
e get --prefix "" --limit 2 -w json; e get --prefix "" --order DESCEND
e get --prefix "" --sort-by MODIFY --order DESCEND --limit 1 -w json; e get --prefix "" --sort-by VALUE --order ASCEND
e get a --print-value-only; e get zzz -w json
e put a 5 --prev-kv; e put a 6 --prev-kv -w json; e put nn --ignore-value; e put a --ignore-value -w json
e put a x --ignore-value; e put "" x; e put a 6 --ignore-lease; e put l v --lease=1234
e del b --prev-kv; e del b -w json; e del a c --prev-kv -w json
e put k1 v1; e put k2 v2; e put k3 v3; e del k --prefix; e del zz --from-key
txn 'mod("x") = "0"\n\nput x 1\nget x\n\nput x 2\n\n'
txn 'mod("x") = "0"\n\nput x 1\nget x\n\nput x 2\nget x\n\n'
txn 'value("x") = "2"\nver("x") > "0"\ncreate("x") < "99"\n\nput y 1\nget --prefix ""\ndel x\nget x\n\n\n'
txn '\nput d 1\nput d 2\n\n\n'; txn '\nput d 1\ndel d\n\n\n'; txn '\nget d --rev=2\n\n\n'

# Watches: what is to come, what was, one revision in one answer.
T=1.5 e watch w --prefix -w json >watch1 & T=1.5 e watch w --prefix --prev-kv >watch2 &
sleep 0.5
e put w1 a; e put w1 b; e del w1; txn '\nput wa 1\nput wb 2\n\n\n'; e put other x
wait
cat watch1 watch2
T=0.7 e watch w1 --rev=1
printf 'watch w1\nwatch wb\n' | T=0.7 e watch -i

e compaction 5; e get y --rev=4; e compaction 5; e compaction 999; e get y --rev=5 -w json; T=0.7 e watch w1 --rev=2
e lease grant 100 -w json; e lease revoke 1234; e lease timetolive 1234; e lease keep-alive --once 1234
lease=$(timeout 5 etcdctl --endpoints="$endpoint" $ETCDCTL_FLAGS lease grant 2 | cut -d' ' -f2)
e put ll 1 --lease="$lease"; e lease timetolive "$lease" --keys | sed 's/remaining([0-9]*s)/remaining/'
e lease keep-alive --once "$lease"
sleep 3.3
e get ll; e lease timetolive "$lease"
T=2 e lock mylock echo locked
T=1.5 e elect myelection me & sleep 0.4; T=0.7 e elect -l myelection | sed 1d; wait
e alarm list; e defrag; e alarm disarm
