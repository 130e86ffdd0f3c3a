#!/bin/bash
# test/e2e/kubectl_matrix_test.sh: a hundred forms of kubectl's commands, with every kubectl from 1.27 to 1.33 that is found.
#
# KUBECTL_MATRIX=1 runs all versions found beside the default one and prints the table: a row for each form, a column for each
# version.  Otherwise the default kubectl alone goes through it.  Every version has a namespace and a hollow node of its own
# in one cluster; two run at a time.
. "$(dirname "$0")/lib.sh"
IMAGE=coracle.local/sample:1

# ---- What there is to run ----------------------------------------------------------------------------------------------

programs() {        # "VERSION PROGRAM" lines, oldest first, one for each minor version
    local dir p version

    dir=$(dirname "$(readlink -f "$KUBECTL")")
    [ -n "$KUBECTL_MATRIX" ] || dir=/nonexistent
    for p in "$KUBECTL" "$dir"/kubectl.1.*; do
        version=$("$p" version --client 2>/dev/null | sed -n 's/^Client Version: .*v\(1\.[0-9]*\).*/\1/p')
        [ -z "$version" ] || echo "$version $p"
    done | sort -t. -k2n -s -u -k1,1
}

# form NAME REGEX COMMAND...: one row: the command succeeds and prints a match.  not_form: it fails and prints one.
# absent NAME: a row that this version has not.
form() { form_row 0 "$@"; }
not_form() { form_row 1 "$@"; }
absent() { printf -- '-\t%s\t\n' "$1"; }
form_row() {
    local fails=$1 name=$2 regex=$3 out was rc
    shift 3
    out=$("$@" 2>&1)
    was=$?
    rc=$(((was != 0) != fails))
    [[ $out =~ $regex ]] || rc=1
    printf '%s\t%s\t%s\n' "$([ $rc = 0 ] && echo ok || echo FAIL)" "$name" "$([ $rc = 0 ] || { echo "exit status $was"; tail -n 20 <<<"$out"; } | tr '\n\t' '\v ')"
}

k() { timeout --foreground 30 "$PROGRAM" "$@"; }
k_in() { k "$@" <<<"$TEXT"; }       # with $TEXT as its standard input
kp() { pipe "$1"; }                 # a pipeline, with $K as this version's kubectl
# first_of REGEX COMMAND: shell text that runs what does not end by itself until it has said this, 20 seconds at most.
first_of() {
    printf '%s' "timeout 20 $2 >$DIR/said 2>&1 & p=\$!
        for i in {1..190}; do grep -q '$1' $DIR/said && break; sleep 0.1; done
        cat $DIR/said; kill \$p"
}

# ---- The rows -----------------------------------------------------------------------------------------------------------

forms_server() {
    form "version" 'Server Version: .*v1\.' k version
    form "cluster-info" 'is running at' k cluster-info
    form "api-versions" 'apps/v1' k api-versions
    form "api-resources" 'deployments +deploy +apps/v1' k api-resources
    form "api-resources -o wide" 'deletecollection' k api-resources -o wide
    form "config view" 'server: https' k config view
    form "get --raw" 'ok' k get --raw /readyz
    form "explain" 'FIELDS' k explain deployment.spec
    form "explain --recursive" 'containers' k explain pod --recursive
    form "auth can-i" 'yes' k auth can-i create pods
    form "auth can-i --list" 'Resources' k auth can-i --list
    # kubectl 1.27 knows only the beta of that API, which Kubernetes 1.33 does not serve.
    [ "${NS#*-}" = 27 ] && absent "auth whoami" || form "auth whoami" 'system:masters' k auth whoami
}

forms_create() {
    form "create configmap" created k create configmap cm --from-literal=a=1 --from-literal=b=2
    form "create secret generic" created k create secret generic sec --from-literal=pw=s3cret
    form "create secret docker-registry" created k create secret docker-registry reg --docker-username=u --docker-password=p
    form "create secret tls" created k create secret tls cert --cert="$PKI/admin.crt" --key="$PKI/admin.key"
    form "create serviceaccount" created k create serviceaccount robot
    form "create token" '^[A-Za-z0-9_-]+\.' k create token robot --duration=1h
    form "create deployment" created k create deployment web --image="$IMAGE" --replicas=2 --port=8080
    form "create job" created k create job once --image="$IMAGE" -- true
    form "create cronjob" created k create cronjob daily --image="$IMAGE" --schedule='0 0 * * *' -- true
    form "create job --from" created k create job now --from=cronjob/daily
    form "create role" created k create role reader --verb=get,list --resource=pods
    form "create rolebinding" created k create rolebinding readers --role=reader --serviceaccount="$NS:robot"
    form "create clusterrole" created k create clusterrole "$NS" --verb=get --resource=nodes
    form "create clusterrolebinding" created k create clusterrolebinding "$NS" --clusterrole="$NS" --user=ann
    form "create quota" created k create quota some --hard=configmaps=50
    form "create poddisruptionbudget" created k create poddisruptionbudget web --selector=app=web --min-available=1
    form "create priorityclass" created k create priorityclass "$NS" --value=7
    form "create service clusterip" created k create service clusterip plain --tcp=80:8080
    form "create service nodeport" created k create service nodeport opened --tcp=80:8080
    form "create ingress" created k create ingress door --rule='example.com/*=web:80'
    form "create -f -" created k_in create -f -
    form "create --dry-run=server" 'server dry run' k create configmap ghost --dry-run=server
    form "create --dry-run=client -o yaml" 'kind: ConfigMap' k create configmap ghost --dry-run=client -o yaml
    not_form "create twice" 'already exists' k create configmap cm
    form "run" created k run lone --image="$IMAGE" --restart=Never
    form "expose" exposed k expose deployment web --port=80 --target-port=8080
    form "autoscale" autoscaled k autoscale deployment web --min=1 --max=4 --cpu-percent=80
    form "rollout status" 'successfully rolled out' k rollout status deployment/web --timeout=20s
}

forms_get() {
    form "get: the table" 'web +2/2 +2 +2' k get deployment
    form "get -o wide" 'CONTAINERS +IMAGES' k get deployment -o wide
    form "get -o yaml" 'kind: Deployment' k get deployment web -o yaml
    form "get -o json" '"kind": "Deployment"' k get deployment web -o json
    form "get -o name" 'deployment.apps/web' k get deployment -o name
    form "get -o jsonpath" '^2$' k get deployment web -o jsonpath='{.status.readyReplicas}'
    form "get -o go-template" '^web$' k get deployment web -o go-template='{{.metadata.name}}'
    form "get -o custom-columns" 'web +2' k get deployment -o custom-columns=N:.metadata.name,R:.spec.replicas
    form "get several kinds" 'configmap/cm' k get deployment,configmap,secret
    form "get all" 'replicaset.apps/web-' k get all
    form "get -A" "$NS +web" k get deployment -A
    form "get -l" 'web-' k get pods -l 'app in (web)'
    form "get --field-selector" 'web-' k get pods --field-selector=status.phase=Running
    form "get --sort-by" 'web-' k get pods --sort-by=.metadata.name
    form "get --show-labels -L" 'app=web' k get pods --show-labels -L app
    form "get --chunk-size" 'cm' k get configmap --chunk-size=1
    form "get --show-managed-fields" 'managedFields' k get configmap cm -o yaml --show-managed-fields
    form "get --subresource=scale" 'web' k get deployment web --subresource=scale
    form "get -w" 'cm ' kp "$(first_of 'cm ' "$K get configmap -w")"
    form "get -w --output-watch-events" 'ADDED' kp "$(first_of ADDED "$K get configmap -w --output-watch-events")"
    not_form "get of what is not there" 'NotFound' k get pod nope
    form "describe deployment" 'NewReplicaSet' k describe deployment web
    form "describe pod" 'Node: ' k describe pod -l app=web
    form "describe node" 'Allocated resources' k describe node "$NODE"
    form "describe service" 'Endpoints' k describe service web
    form "describe ingress" 'example.com' k describe ingress door
    form "describe hpa, quota, pdb, sa, role, cronjob" 'reader' k describe hpa,quota,pdb,sa,role,cronjob
    form "get events" 'Scheduled' k get events
    form "events --for" 'ScalingReplicaSet' k events --for deployment/web
    form "top node, when there are figures or none yet" "CPU|not available yet" kp "$K top node; true"
}

forms_change() {
    form "apply -f" 'configmap/app created' k apply -f "$DIR/app.yaml"
    form "apply -f: unchanged" 'deployment.apps/app unchanged' k apply -f "$DIR/app.yaml"
    sed -i -e 's/colour: red/colour: blue/' -e 's/, {name: B, value: "2"}//' "$DIR/app.yaml"
    form "diff" 'colour: blue' kp "$K diff -f $DIR/app.yaml; [ \$? = 1 ]"
    form "apply -f: configured" 'deployment.apps/app configured' k apply -f "$DIR/app.yaml"
    form "apply --dry-run=server" 'server dry run' k apply -f "$DIR/app.yaml" --dry-run=server
    form "apply --server-side" 'serverside-applied' k apply --server-side -f "$DIR/app.yaml" --force-conflicts
    not_form "apply --server-side: conflict" 'conflict' kp "sed s/blue/green/ $DIR/app.yaml | $K apply --server-side --field-manager=other -f -"
    form "apply --server-side --force-conflicts" 'serverside-applied' kp "sed s/blue/green/ $DIR/app.yaml | $K apply --server-side --field-manager=other --force-conflicts -f -"
    form "apply --prune" 'configmap/app pruned' kp "sed '1,/---/d' $DIR/app.yaml | $K apply --prune -l tier=front -f - --prune-allowlist=core/v1/ConfigMap --prune-allowlist=apps/v1/Deployment"
    form "apply -k" 'configmap/built' k apply -k "$DIR/kustomize"
    form "apply view-last-applied" 'replicas' k apply view-last-applied deployment/app
    not_form "apply: unknown field" 'unknown field' kp "sed s/replicas/replicass/ $DIR/app.yaml | $K apply -f -"
    form "replace -f" replaced kp "$K get configmap cm -o yaml | $K replace -f -"
    form "replace --force" replaced kp "$K get configmap cm -o yaml | $K replace --force -f -"
    form "edit" edited env KUBE_EDITOR="sed -i 's/a: \"1\"/a: \"10\"/'" "$PROGRAM" edit configmap cm
    form "patch" patched k patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"sample","env":[{"name":"A","value":"B"}]}]}}}}'
    form "patch --type=merge" patched k patch configmap cm --type=merge -p '{"data":{"c":"3"}}'
    form "patch --type=json" patched k patch configmap cm --type=json -p '[{"op":"remove","path":"/data/c"}]'
    form "patch --subresource=status" patched k patch deployment web --subresource=status --type=merge -p '{"status":{"collisionCount":0}}'
    form "label" labeled k label configmap cm tier=back
    form "annotate" annotate k annotate configmap cm note='a b'
    form "set image" 'image updated' k set image deployment/web sample=coracle.local/sample:2
    form "set env" 'env updated' k set env deployment/web K=V
    form "set resources" 'resource requirements updated' k set resources deployment/web --requests=cpu=10m
    form "set serviceaccount" 'serviceaccount updated' k set serviceaccount deployment/web robot
    form "set selector" 'selector updated' k set selector service plain app=web
    form "set subject" 'subjects updated' k set subject rolebinding readers --user=ann
    form "rollout history" REVISION k rollout history deployment/web
    form "rollout undo" 'rolled back' k rollout undo deployment/web
    form "rollout restart" restarted k rollout restart deployment/web
    form "rollout pause" paused k rollout pause deployment/web
    form "rollout resume" resumed k rollout resume deployment/web
    form "scale" scaled k scale deployment web --replicas=3
    form "wait --for=condition" 'condition met' k wait deployment/web --for=condition=Available --timeout=20s
    form "wait --for=jsonpath" 'condition met' k wait deployment/web --for=jsonpath='{.spec.replicas}'=3 --timeout=20s
    form "auth reconcile" 'reconciled|unchanged' kp "$K get role reader -o yaml | $K auth reconcile -f -"
    form "certificate approve" approved kp "$K create -f $DIR/csr.yaml && $K certificate approve $NS"
}

forms_pods() {
    form "wait for a pod" 'condition met' k wait pod/shell --for=condition=Ready --timeout=20s
    form "logs" 'line 1' k logs shell
    form "logs --tail --timestamps" '^20[^ ]* line ' k logs shell --tail=1 --timestamps
    form "logs -f" 'line 5' kp "timeout 2 $K logs -f shell | grep -m1 'line 5'"
    form "logs -l --prefix" 'pod/shell/c' k logs -l run=shell --prefix
    form "exec" '^out$' k exec shell -- echo out
    not_form "exec: exit status" 'exit code 7' k exec shell -- sh -c 'exit 7'
    form "exec -i" '^through$' kp "echo through | $K exec -i shell -- cat"
    form "exec -it" 'pts' script -qec "$K exec -it shell -- tty" /dev/null
    form "attach" 'line [0-9]' kp "$(first_of 'line [0-9]' "$K attach shell")"
    form "cp to a pod and back" '^letter$' kp "echo letter >$DIR/letter && $K cp $DIR/letter shell:/tmp/letter && $K cp shell:/tmp/letter $DIR/back >/dev/null && cat $DIR/back"
    form "port-forward" 'version 1' kp "timeout 25 $K port-forward pod/page :8080 >$DIR/pf 2>&1 & p=\$!
        for i in {1..200}; do grep -q Forwarding $DIR/pf && break; sleep 0.1; done
        curl -sS --max-time 3 http://127.0.0.1:\$(sed -n '1s/.*127.0.0.1:\([0-9]*\) .*/\1/p' $DIR/pf)/
        kill \$p"
    form "proxy" '"gitVersion"' kp "timeout 25 $K proxy --port=0 >$DIR/px 2>&1 & p=\$!
        for i in {1..200}; do grep -q Starting $DIR/px && break; sleep 0.1; done
        curl -sS --max-time 3 http://\$(sed 's/.* on //' $DIR/px)/version
        kill \$p"
    form "get --raw: proxy to a pod" 'version 1' k get --raw "/api/v1/namespaces/$NS/pods/page:8080/proxy/"
    form "debug a pod" 'inside' kp "timeout 10 $K debug shell --image=$IMAGE -c dbg --attach=false -- echo inside && timeout 5 sh -c 'until $K logs shell -c dbg 2>/dev/null | grep inside; do sleep 0.1; done'"
    form "debug --copy-to" 'copied' kp "$K debug page --copy-to=copied --image=$IMAGE --attach=false -- sleep 100 && $K get pod copied"
    form "debug a node" 'Creating debugging pod' k debug node/node-1 --image="$IMAGE" --attach=false -- true
}

forms_end() {
    form "taint" tainted k taint node "$NODE" dedicated=x:NoSchedule
    form "taint -" untainted k taint node "$NODE" dedicated-
    form "cordon" cordoned k cordon "$NODE"
    form "drain" drained k drain "$NODE" --pod-selector="app=web,mine=$NS" --ignore-daemonsets --delete-emptydir-data --timeout=20s
    form "uncordon" uncordoned k uncordon "$NODE"
    form "delete --dry-run=server" 'server dry run' k delete configmap cm --dry-run=server
    form "delete pod --now" deleted k delete pod lone --now
    form "delete --force" 'force deleted' k delete pod page --force --grace-period=0
    form "delete --cascade=orphan" deleted k delete deployment app --cascade=orphan
    form "delete --cascade=foreground" deleted k delete deployment web --cascade=foreground --timeout=20s
    form "delete -l" deleted k delete replicaset -l app=app
    form "delete -f" 'deleted' k delete -f "$DIR/app.yaml" --ignore-not-found
    form "delete --all" deleted k delete configmap --all
    form "delete --wait=false" deleted k delete service plain --wait=false
    form "wait --for=delete" '' k wait service/plain --for=delete --timeout=10s
    form "delete --ignore-not-found" '^$' k delete configmap nope --ignore-not-found
    form "delete cluster-wide objects" deleted k delete "clusterrole/$NS" "clusterrolebinding/$NS" "priorityclass/$NS" "csr/$NS"
    form "delete namespace" deleted k delete namespace "$NS" --timeout=25s
}

# ---- One version --------------------------------------------------------------------------------------------------------

manifests() {
    sed "s/NS/$NS/" >"$DIR/app.yaml" <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: app, labels: {tier: front}}
data: {colour: red}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {tier: front}}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers: [{name: one, image: coracle.local/sample:1, env: [{name: A, value: "1"}, {name: B, value: "2"}]}]
YAML
    mkdir "$DIR/kustomize"
    printf 'configMapGenerator:\n- {name: built, literals: [a=b]}\n' >"$DIR/kustomize/kustomization.yaml"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$DIR/key" -subj "/CN=$NS" -out "$DIR/csr" 2>/dev/null
    cat >"$DIR/csr.yaml" <<YAML
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: $NS}
spec: {request: $(base64 -w0 "$DIR/csr"), signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}
YAML
    TEXT="
apiVersion: v1
kind: Pod
metadata: {name: shell, labels: {run: shell}}
spec:
  nodeName: node-1
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: $IMAGE, command: [sh, -c, 'i=0; while true; do i=\$((i+1)); echo line \$i; sleep 0.2; done']}]
---
apiVersion: v1
kind: Pod
metadata: {name: page}
spec: {nodeName: node-1, terminationGracePeriodSeconds: 0, containers: [{name: c, image: $IMAGE}]}"
}

run_version() {     # VERSION PROGRAM NUMBER: its rows go to $TMP/rows.VERSION
    PROGRAM=$2 NS=v${1/./-} NODE=hollow-1-$3 DIR=$TMP/$1
    K="timeout --foreground 30 $PROGRAM"          # or a terminal stops it as a background job
    mkdir "$DIR"
    export HOME=$DIR
    manifests
    sed "s/^\( *\)context: {/&namespace: $NS, /" "$KUBECONFIG" >"$DIR/kubeconfig"
    export KUBECONFIG=$DIR/kubeconfig
    {
        form "create namespace" created k create namespace "$NS"
        wait_for 10 k get serviceaccount default >/dev/null
        forms_server
        forms_create
        forms_get
        forms_change
        forms_pods
        forms_end
    } >"$TMP/rows.$1"
}

# ---- All versions -------------------------------------------------------------------------------------------------------

table() {           # VERSION...: rows of the first version, a column for each
    local version name
    printf '%-48s' form; printf '%6s' "$@"; echo
    while IFS=$'\t' read -r _ name _; do
        printf '%-48s' "$name"
        for version; do
            printf '%6s' "$(awk -F '\t' -v n="$name" '$2 == n { print $1 }' "$TMP/rows.$version")"
        done
        echo
    done <"$TMP/rows.$1"
}

mapfile -t found < <(programs)
e2e_up --nodes 1 --hollow-nodes $((${#found[@]} + 1)) --sample=false
kubectl cordon node-1 >/dev/null    # only what asks for it by name runs there
versions=() running=0
for line in "${found[@]}"; do
    read -r version program <<<"$line"
    run_version "$version" "$program" "${#versions[@]}" &
    versions+=("$version")
    ((++running % 2)) || wait
done
wait
for version in "${versions[@]}"; do
    while IFS=$'\t' read -r status name detail; do
        [ "$status" = - ] || e2e_record "$([ "$status" = ok ]; echo $?)" "kubectl $version: $name" "${detail//$'\v'/$'\n'}"
    done <"$TMP/rows.$version"
done
[ -z "$KUBECTL_MATRIX" ] || table "${versions[@]}"
e2e_finish
