#!/bin/bash
# test/e2e/kubectl_test.sh: an unmodified kubectl against three heads: every verb that changes or shows objects.
# Pods run on hollow nodes, so that what is tested here is the API, the scheduler and the controllers.
. "$(dirname "$0")/lib.sh"
e2e_up --nodes 0 --hollow-nodes 3 --sample=false

# ---- The server ---------------------------------------------------------------------------------------------
check_out "version" 'Server Version: v1\.' kubectl version
check_out "version -o json" '"gitVersion"' kubectl version -o json
check_out "cluster-info" 'control plane.* is running at' kubectl cluster-info
check_out "api-versions" $'apps/v1\n' kubectl api-versions
check_out "api-versions: core" $'\nv1($|\n)' kubectl api-versions
check_out "api-resources" 'deployments +deploy +apps/v1 +true +Deployment' kubectl api-resources
check_out "api-resources --namespaced=false" 'nodes +no +v1 +false +Node' kubectl api-resources --namespaced=false
check_out "api-resources -o wide: verbs" 'deletecollection' kubectl api-resources -o wide
check_out "config view" 'server: https://' kubectl config view
check "config set-context" kubectl config set-context --current --namespace=default
check_out "config current-context" '.' kubectl config current-context
check_out "config get-contexts" '\*' kubectl config get-contexts
check_out "get --raw /healthz" 'ok' kubectl get --raw /healthz
check_out "explain" 'FIELDS' kubectl explain deployment.spec.strategy
check_out "auth can-i" 'yes' kubectl auth can-i create pods
check_out "auth whoami" 'system:masters' kubectl auth whoami

# ---- create, get ---------------------------------------------------------------------------------------------
check_out "create namespace" 'namespace/shop created' kubectl create namespace shop
check "the new namespace becomes our default" kubectl config set-context --current --namespace=shop
check "a namespace gets its default service account" \
    wait_for 10 kubectl get serviceaccount default
check_out "create configmap" 'configmap/cm created' kubectl create configmap cm --from-literal=a=1 --from-literal=b=2
check_out "create secret generic" 'secret/sec created' kubectl create secret generic sec --from-literal=pw=s3cret
check_is "secret data is base64" 'czNjcmV0' kubectl get secret sec -o jsonpath='{.data.pw}'
check_out "create serviceaccount" 'created' kubectl create serviceaccount robot
check_out "create token" '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.' kubectl create token robot
check_out "create deployment" 'deployment.apps/web created' \
    kubectl create deployment web --image=coracle.local/sample:1 --replicas=4
check_out "rollout status waits for it" 'successfully rolled out' kubectl rollout status deployment/web --timeout=30s
check_out "get deployment: the table" 'NAME +READY +UP-TO-DATE +AVAILABLE +AGE'$'\n''web +4/4 +4 +4' kubectl get deployment
check_out "get -o wide" 'CONTAINERS +IMAGES +SELECTOR' kubectl get deployment -o wide
check_out "get pods: the table" 'web-[a-z0-9]+-[a-z0-9]{5} +1/1 +Running +0' kubectl get pods
check_out "get pods -o wide: node and address" 'hollow-1-[0-2]' kubectl get pods -o wide
check_out "get -o json" '"kind": "Deployment"' kubectl get deployment web -o json
check_out "get -o yaml" 'kind: Deployment' kubectl get deployment web -o yaml
check_is "get -o name" 'deployment.apps/web' kubectl get deployment web -o name
check_is "get -o jsonpath" '4' kubectl get deployment web -o jsonpath='{.status.readyReplicas}'
check_out "get -o custom-columns" 'N +R'$'\n''web +4' \
    kubectl get deployment -o custom-columns=N:.metadata.name,R:.spec.replicas
check_is "get -o go-template" 'web' kubectl get deployment web -o go-template='{{.metadata.name}}'
check_out "get -A" 'NAMESPACE.*'$'\n''shop +web' kubectl get deployment -A
check_out "get several kinds" 'configmap/cm.*' kubectl get deployment,configmap
check_out "get all" 'replicaset.apps/web-' kubectl get all
check_out "get --show-labels" 'app=web' kubectl get pods --show-labels
check_out "get -L" 'APP' kubectl get pods -L app
check_out "get --sort-by" 'web-' kubectl get pods --sort-by=.metadata.name
check_out "get -l" 'web-' kubectl get pods -l app=web
check_out "get -l that selects nothing" 'No resources found' kubectl get pods -l 'app in (x,y)'
check_out "get --field-selector" 'web-' kubectl get pods --field-selector=status.phase=Running
check_out "get --field-selector that selects nothing" 'No resources' kubectl get pods --field-selector=spec.nodeName=nowhere
check_err "get of a field that cannot be selected" 'field label not supported' \
    kubectl get pods --field-selector=spec.hostname=x
check_err "get of what is not there" 'Error from server \(NotFound\): pods "nope" not found' kubectl get pod nope
check_err "get of an unknown kind" "doesn't have a resource type" kubectl get gadgets
check_is "get --chunk-size pages" 4 pipe "$KUBECTL get pods --chunk-size=1 --no-headers | wc -l"
check_out "get nodes" 'hollow-1-0 +Ready' kubectl get nodes
check_err "create twice" 'already exists' kubectl create configmap cm
check_err "create with a bad name" 'Invalid value: "Bad_Name"' kubectl create configmap Bad_Name
check_err "create in a namespace that is not there" 'namespaces "none" not found' kubectl -n none create configmap x
check "create --dry-run=server" kubectl create configmap ghost --dry-run=server
check_err "... stores nothing" 'NotFound' kubectl get configmap ghost
check_out "create quota of generated names" 'gen-[a-z0-9]{5}' pipe \
    "printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: gen-}\n' | $KUBECTL create -f - -o name"

# ---- get -w -------------------------------------------------------------------------------------------------
background "$KUBECTL" get configmap -w --no-headers >"$TMP/watch.out" 2>&1
watch=$BACKGROUND
check "get -w begins with what is there" wait_for 10 grep -q '^cm ' "$TMP/watch.out"
check "create while watched" kubectl create configmap seen --from-literal=x=1
check "get -w tells it" wait_for 10 grep -q '^seen ' "$TMP/watch.out"
check "delete while watched" kubectl delete configmap seen
check "get -w tells that too" wait_for 10 pipe "[ \$(grep -c '^seen ' $TMP/watch.out) = 2 ]"
stop "$watch"

# ---- describe -----------------------------------------------------------------------------------------------
check_out "describe deployment" 'NewReplicaSet: +web-' kubectl describe deployment web
check_out "describe deployment: events" 'ScalingReplicaSet' kubectl describe deployment web
check_out "describe pod: scheduled" 'Successfully assigned shop/web-' kubectl describe pod -l app=web
check_out "describe node" 'Allocated resources' kubectl describe node hollow-1-0
check_out "describe node: pods on it" 'Non-terminated Pods' kubectl describe node hollow-1-0
check_out "describe configmap" 'Data' kubectl describe configmap cm
check_out "describe secret" 'pw: +6 bytes' kubectl describe secret sec
check_out "describe namespace" 'Status: +Active' kubectl describe namespace shop
check_out "get events" 'ScalingReplicaSet' kubectl get events
check_out "get events of one kind" 'Scheduled' kubectl get events --field-selector=involvedObject.kind=Pod
check_out "events" 'Scheduled' kubectl events

# ---- apply --------------------------------------------------------------------------------------------------
cat >"$TMP/app.yaml" <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: app, labels: {tier: front}}
data: {colour: red, shape: round}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec:
  selector: {app: app}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - name: one
        image: coracle.local/sample:1
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
      - name: two
        image: coracle.local/sample:1
YAML
check_out "apply -f creates" 'configmap/app created.*service/app created.*deployment.apps/app created' \
    kubectl apply -f "$TMP/app.yaml"
check_out "apply again: unchanged" 'configmap/app unchanged.*service/app unchanged.*deployment.apps/app unchanged' \
    kubectl apply -f "$TMP/app.yaml"
check_out "a service gets its address" '^10\.' kubectl get service app -o jsonpath='{.spec.clusterIP}'
sed -i -e 's/colour: red, shape: round/colour: blue/' -e '/name: two/,+1d' -e 's/, {name: B, value: "2"}//' "$TMP/app.yaml"
check_out "diff shows what would change" 'colour: blue' pipe "$KUBECTL diff -f $TMP/app.yaml; [ \$? = 1 ]"
check_out "apply changes" 'configmap/app configured.*deployment.apps/app configured' kubectl apply -f "$TMP/app.yaml"
check_is "apply removes keys that are gone" '{"colour":"blue"}' kubectl get configmap app -o jsonpath='{.data}'
check_is "apply removes containers and variables that are gone" 'one A' \
    kubectl get deployment app -o jsonpath='{.spec.template.spec.containers[*].name} {.spec.template.spec.containers[0].env[*].name}'
check_out "apply --dry-run=server" 'server dry run' kubectl apply --dry-run=server -f "$TMP/app.yaml"
check_out "replace -f" 'replaced' pipe "$KUBECTL get configmap app -o yaml | sed s/blue/green/ | $KUBECTL replace -f -"
check_is "... has replaced" green kubectl get configmap app -o jsonpath='{.data.colour}'
check_err "an unknown field is refused" 'unknown field "spec.replicass"' pipe \
    "sed 's/replicas: 2/replicass: 2/' $TMP/app.yaml | $KUBECTL apply -f -"
check_err "a wrong type is refused" 'BadRequest|Invalid|cannot' pipe \
    "sed 's/replicas: 2/replicas: many/' $TMP/app.yaml | $KUBECTL apply -f -"
check_err "a missing required field is refused" 'Required value' pipe \
    "sed 's/image: .*/tty: false/' $TMP/app.yaml | $KUBECTL apply -f -"

# ---- edit, patch, label, annotate -----------------------------------------------------------------------------
check_out "edit" 'configmap/cm edited' env KUBE_EDITOR="sed -i 's/a: \"1\"/a: \"10\"/'" "$KUBECTL" edit configmap cm
check_is "... has edited" 10 kubectl get configmap cm -o jsonpath='{.data.a}'
check_out "edit without a change" 'cancelled' env KUBE_EDITOR=true "$KUBECTL" edit configmap cm
check_out "patch strategic" 'patched' kubectl patch deployment app -p \
    '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"coracle.local/sample:1"}]}}}}'
check_is "... merges lists by name" 'one side' pipe \
    "$KUBECTL get deployment app -o jsonpath='{.spec.template.spec.containers[*].name}' | tr ' ' '\n' | sort | xargs"
check_out "patch merge" 'patched' kubectl patch configmap cm --type=merge -p '{"data":{"a":null,"c":"3"}}'
check_is "... removes with null" '{"b":"2","c":"3"}' kubectl get configmap cm -o jsonpath='{.data}'
check_out "patch json" 'patched' kubectl patch configmap cm --type=json \
    -p '[{"op":"test","path":"/data/b","value":"2"},{"op":"replace","path":"/data/b","value":"22"},{"op":"remove","path":"/data/c"}]'
check_is "... is done in order" '{"b":"22"}' kubectl get configmap cm -o jsonpath='{.data}'
check_err "patch json whose test fails" 'Invalid|test' kubectl patch configmap cm --type=json \
    -p '[{"op":"test","path":"/data/b","value":"no"},{"op":"remove","path":"/data/b"}]'
check_is "... changes nothing" '{"b":"22"}' kubectl get configmap cm -o jsonpath='{.data}'
check_out "patch --subresource=scale" 'patched' kubectl patch deployment app --subresource=scale --type=merge \
    -p '{"spec":{"replicas":1}}'
check_out "label" 'labeled' kubectl label configmap cm tier=back
check_err "label again needs --overwrite" 'already has a value' kubectl label configmap cm tier=front
check "label --overwrite" kubectl label configmap cm tier=front --overwrite
check_out "label is selected" 'configmap/cm' kubectl get configmap -l tier=front -o name
check_out "label removal" 'unlabeled' kubectl label configmap cm tier-
check_out "annotate" 'annotated' kubectl annotate configmap cm note='a b c'
check_is "... is there" 'a b c' kubectl get configmap cm -o jsonpath='{.metadata.annotations.note}'
check "annotate removal" kubectl annotate configmap cm note-

# ---- scale, set image, rollout ----------------------------------------------------------------------------------
check_out "scale" 'scaled' kubectl scale deployment web --replicas=6
check "rollout status" kubectl rollout status deployment/web --timeout=30s
check_is "... has scaled" 6 kubectl get deployment web -o jsonpath='{.status.availableReplicas}'
check_err "scale with a wrong --current-replicas" 'Expected replicas' \
    kubectl scale deployment web --current-replicas=1 --replicas=2
check_out "set image" 'image updated' kubectl set image deployment/web sample=coracle.local/sample:2
check_out "rollout status" 'successfully rolled out' kubectl rollout status deployment/web --timeout=30s
check_is "all pods are new" '6 coracle.local/sample:2' pipe \
    "$KUBECTL get pods -l app=web --field-selector=status.phase=Running -o jsonpath='{range .items[*]}{.spec.containers[0].image}{\"\n\"}{end}' | sort | uniq -c | xargs"
check_out "set env" 'env updated' kubectl set env deployment/web K=V
check_out "set resources" 'resource requirements updated' kubectl set resources deployment/web --requests=cpu=10m
check_out "rollout history" 'REVISION' kubectl rollout history deployment/web
check_out "rollout history --revision" 'coracle.local/sample:2' kubectl rollout history deployment/web --revision=2
check_out "rollout undo --to-revision" 'rolled back' kubectl rollout undo deployment/web --to-revision=1
check "rollout status" kubectl rollout status deployment/web --timeout=30s
check_is "... is back" coracle.local/sample:1 kubectl get deployment web -o jsonpath='{.spec.template.spec.containers[0].image}'
check_out "rollout undo" 'rolled back' kubectl rollout undo deployment/web
check_out "rollout restart" 'restarted' kubectl rollout restart deployment/web
check "rollout status" kubectl rollout status deployment/web --timeout=30s
check_out "rollout pause" 'paused' kubectl rollout pause deployment/web
check "set image of a paused one" kubectl set image deployment/web sample=coracle.local/sample:1
check_out "rollout status of a paused one" 'Waiting|paused' pipe \
    "timeout 60 $KUBECTL rollout status deployment/web --timeout=1s; true"
check_out "rollout resume" 'resumed' kubectl rollout resume deployment/web
check "rollout status" kubectl rollout status deployment/web --timeout=30s
check_out "autoscale is refused by name" 'autoscal|HorizontalPodAutoscaler|could not find|no matches' pipe \
    "$KUBECTL autoscale deployment web --max=3 2>&1; true"

# ---- wait ------------------------------------------------------------------------------------------------------
check_out "wait --for=condition" 'condition met' kubectl wait deployment/web --for=condition=Available --timeout=30s
check_out "wait --for=jsonpath" 'condition met' kubectl wait configmap/cm --for=jsonpath='{.data.b}'=22 --timeout=10s
check_err "wait times out" 'timed out' kubectl wait configmap/cm --for=jsonpath='{.data.b}'=0 --timeout=1s
check "create" kubectl create configmap going
background "$KUBECTL" wait configmap/going --for=delete --timeout=30s -v=6 >"$TMP/wait.out" 2>&1
check "wait --for=delete has seen it" wait_for 10 grep -q 'going.*200 OK' "$TMP/wait.out"
check_out "delete, and wait --for=delete sees it" 'deleted' kubectl delete configmap going
check "wait --for=delete ends" wait_for 10 ended "$BACKGROUND"
check_out "... well" 'condition met' cat "$TMP/wait.out"

# ---- delete ------------------------------------------------------------------------------------------------------
check_out "run" 'pod/lone created' kubectl run lone --image=coracle.local/sample:1
check "wait for it" kubectl wait pod/lone --for=condition=Ready --timeout=30s
check_out "delete with a grace period" 'deleted' kubectl delete pod lone --grace-period=1
check_err "... is gone" 'NotFound' kubectl get pod lone
check "run" kubectl run lone --image=coracle.local/sample:1
check_out "delete --force --grace-period=0" 'force deleted' kubectl delete pod lone --force --grace-period=0
check_out "delete --wait=false" 'deleted' kubectl delete deployment app --wait=false
check "background deletion takes replica sets and pods along" \
    wait_for 30 pipe "[ -z \"\$($KUBECTL get replicaset,pod -l app=app -o name)\" ]"
check "create one for foreground deletion" kubectl create deployment fore --image=coracle.local/sample:1 --replicas=2
check "rollout status" kubectl rollout status deployment/fore --timeout=30s
check "delete --cascade=foreground" kubectl delete deployment fore --cascade=foreground
check_is "... nothing of it is left when it returns" '' kubectl get replicaset -l app=fore -o name
check "create one to orphan" kubectl create deployment orph --image=coracle.local/sample:1 --replicas=2
check "rollout status" kubectl rollout status deployment/orph --timeout=30s
check "delete --cascade=orphan" kubectl delete deployment orph --cascade=orphan
check_out "... its replica set stays" 'replicaset.apps/orph-' kubectl get replicaset -l app=orph -o name
check "... without owner" wait_for 10 matches '^$' kubectl get replicaset -l app=orph -o jsonpath='{.items[*].metadata.ownerReferences}'
check "delete -l" kubectl delete replicaset -l app=orph
check "delete --all" kubectl delete configmap --all
check_out "delete --ignore-not-found" '^$' kubectl delete configmap nope --ignore-not-found
check_err "delete of what is not there" 'NotFound' kubectl delete configmap nope
check "a finalizer" pipe "printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/hold]}\n' | $KUBECTL create -f -"
check "delete of what a finalizer holds" kubectl delete configmap held --wait=false
check_out "... it stays, marked" '^20' kubectl get configmap held -o jsonpath='{.metadata.deletionTimestamp}'
check "its finalizer goes" kubectl patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
check_err "... and so does it" 'NotFound' kubectl get configmap held
check "delete -f" kubectl delete -f "$TMP/app.yaml" --ignore-not-found

# ---- nodes -------------------------------------------------------------------------------------------------------
check_out "taint" 'tainted' kubectl taint node hollow-1-2 dedicated=x:NoSchedule
check_out "... is there" 'dedicated=x:NoSchedule' kubectl describe node hollow-1-2
check_out "taint removal" 'untainted' kubectl taint node hollow-1-2 dedicated-
check_out "cordon" 'cordoned' kubectl cordon hollow-1-2
check_out "... is shown" 'Ready,SchedulingDisabled' kubectl get node hollow-1-2
check_out "uncordon" 'uncordoned' kubectl uncordon hollow-1-2
check "a pod no node has room for" pipe "printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: huge}\nspec:\n  containers: [{name: c, image: x, resources: {requests: {cpu: \"4000\"}}}]\n' | $KUBECTL create -f -"
check "... stays pending with the reason in an event" \
    wait_for 10 matches '0/3 nodes are available: 3 Insufficient cpu' kubectl describe pod huge
check_is "... stays pending" Pending kubectl get pod huge -o jsonpath='{.status.phase}'
check "delete it" kubectl delete pod huge
check "a budget" kubectl create poddisruptionbudget web --selector=app=web --min-available=6
check "... is computed" wait_for 10 matches '^0$' kubectl get pdb web -o jsonpath='{.status.disruptionsAllowed}'
node=$(kubectl get pods -l app=web -o jsonpath='{.items[0].spec.nodeName}')
check_err "drain stops at the budget" "violate the pod's disruption budget" kubectl drain "$node" --ignore-daemonsets --timeout=2s
check "the budget is loosened" kubectl patch pdb web --type=merge -p '{"spec":{"minAvailable":4}}'
check_out "drain" 'drained' kubectl drain "$node" --ignore-daemonsets --timeout=30s
check_is "... no pod is left there" '' kubectl get pods -l app=web --field-selector=spec.nodeName="$node" -o name
check "rollout status: the pods came back elsewhere" kubectl rollout status deployment/web --timeout=30s
check "uncordon" kubectl uncordon "$node"

# ---- a namespace goes with all it holds -----------------------------------------------------------------------------
check "delete namespace" kubectl delete namespace shop --timeout=40s
check_err "... is gone" 'NotFound' kubectl get namespace shop
check_is "... and all in it" '' kubectl get pods,deployments,configmaps,secrets -n shop -o name
e2e_finish
