#!/bin/bash
# test/e2e/services_test.sh: what kubectl sees of services: addresses of both families and the objects that hold them,
# ranges, node ports, endpoints and slices; and of what every cluster has.
. "$(dirname "$0")/lib.sh"
e2e_up --heads 3 --nodes 1 --sample=false --head-flags "--service-cluster-ip-range=10.96.0.0/16,fd00:10::/112"

check_out "a range of each family" '10.96.0.0/16,fd00:10::/112' kubectl get servicecidr kubernetes
check "the default range is declared ready" kubectl wait servicecidr/kubernetes --for=condition=Ready --timeout=20s
check_out "the kubernetes service holds the first address" 'services/default/kubernetes' kubectl get ipaddress 10.96.0.1
check_is "flow schemas" 13 pipe "kubectl get flowschemas --no-headers | wc -l"
check_is "priority levels" 8 pipe "kubectl get prioritylevelconfigurations --no-headers | wc -l"
check_is "priority classes" 2 pipe "kubectl get priorityclasses --no-headers | wc -l"

check "a deployment" kubectl create deployment web --image=coracle.local/sample:1 --replicas=2
check "is exposed" kubectl expose deployment web --port=80 --target-port=8080
check "becomes available" kubectl wait deployment/web --for=condition=Available --timeout=40s
check "its slice has both pods" kubectl wait endpointslices -l kubernetes.io/service-name=web --for='jsonpath={.endpoints[1].conditions.ready}=true' --timeout=20s
check_out "its slice says the port" '^8080$' kubectl get endpointslices -l kubernetes.io/service-name=web -o 'jsonpath={.items[0].ports[0].port}'
check_out "its endpoints" ':8080,.*:8080' kubectl get endpoints web
check "a second family" kubectl patch service web -p '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}'
check_out "its addresses" '^10\.96\..* fd00:10::' kubectl get service web -o 'jsonpath={.spec.clusterIPs[0]} {.spec.clusterIPs[1]}'
check "scaled to none" kubectl scale deployment web --replicas=0
check "its slice is empty" wait_for 20 fails matches ':8080' kubectl get endpoints web

check_err "an address that is taken" 'provided IP is already allocated' kubectl create service clusterip x --tcp=80 --clusterip=10.96.0.1
check_err "an address of no range" 'the provided network does not match the current range' kubectl create service clusterip x --tcp=80 --clusterip=10.99.0.1
check "a node port" kubectl create service nodeport n --tcp=80 --node-port=30080
check_err "a node port that is taken" 'provided port is already allocated' kubectl create service nodeport m --tcp=80 --node-port=30080
check_err "a node port of no range" 'The range of valid ports is 30000-32767' kubectl create service nodeport m --tcp=80 --node-port=80

cat >"$TMP/more.yaml" <<'YAML'
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: { name: more }
spec: { cidrs: [10.99.0.0/24] }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { ports: [{ port: 5432 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: db }
subsets: [{ addresses: [{ ip: 192.0.2.7 }], ports: [{ port: 5432 }] }]
YAML
check "another range, and endpoints by hand" kubectl apply -f "$TMP/more.yaml"
check "the range serves" kubectl create service clusterip y --tcp=80 --clusterip=10.99.0.5
check "hand-made endpoints are mirrored" kubectl wait endpointslices -l kubernetes.io/service-name=db --for='jsonpath={.endpoints[0].addresses[0]}=192.0.2.7' --timeout=20s
check "the range is asked to go" kubectl delete servicecidr more --wait=false
check "but is in use" kubectl wait servicecidr/more --for=condition=Ready=false --timeout=20s
check "nothing is left of what goes" kubectl delete service web n y db
check_is "but the kubernetes service's address" 1 pipe "kubectl get ipaddresses --no-headers | wc -l"
check "then the range goes" kubectl wait servicecidr/more --for=delete --timeout=30s

e2e_finish
