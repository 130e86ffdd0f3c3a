#!/bin/bash
# test/e2e/kinds_test.sh: kubectl knows every kind: lists them, explains each to the last field, makes those that it has
# commands for (in protobuf), applies the others, and shows them.
. "$(dirname "$0")/lib.sh"
e2e_up --heads 1 --nodes 0 --sample=false

check_is "api-resources lists all kinds" 62 pipe "kubectl api-resources --no-headers | wc -l"    # two versions of one
while read -r version kind; do
    check "explain $kind of $version --recursive" kubectl explain "$kind" --api-version="$version" --recursive
done < <(kubectl api-resources --no-headers | awk '{ print $(NF - 2), $1 }')

check "create job" kubectl create job j --image=i
check "create cronjob" kubectl create cronjob cj --image=i --schedule='@daily'
check "create role" kubectl create role r --verb=get --resource=pods
check "create rolebinding" kubectl create rolebinding rb --role=r --user=u
check "create clusterrole" kubectl create clusterrole cr --verb=get --resource=nodes
check "create clusterrolebinding" kubectl create clusterrolebinding crb --clusterrole=cr --group=g
check "create ingress" kubectl create ingress ing --rule=a.example.com/=s:80
check "create quota" kubectl create quota q --hard=pods=3
check "create priorityclass" kubectl create priorityclass pc --value=5
check "create poddisruptionbudget" kubectl create pdb pdb --min-available=1 --selector=a=b
check "create deployment" kubectl create deployment d --image=i --replicas=0
check "autoscale" kubectl autoscale deployment d --max=5 --cpu-percent=60

cat >"$TMP/more.yaml" <<'EOF'
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: s }
spec:
  serviceName: s
  replicas: 0
  selector: { matchLabels: { a: b } }
  template:
    metadata: { labels: { a: b } }
    spec: { containers: [{ name: c, image: i }] }
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: v }
spec: { capacity: { storage: 1Gi }, accessModes: [ReadWriteOnce], hostPath: { path: /x } }
---
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: { name: csr }
spec: { request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QmVEQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCQ1hEbXZsekRFT3MzZ0FWTWQ4S1dFYXBmeVVDNzNvSUJoQWpaMHJxWTBLeEhpem1PUk0zOTRGclVUc3phbUJwCmtpRjJoRWhiM1UxVkcyd1F1Q0lIS2MrZ0FEQUtCZ2dxaGtqT1BRUURBZ05JQURCRkFpQmJxY2FiL012M2JNM0YKZFRXbWNtUHNVc2M3M1ZUcm9PaGo4RmVRMGJsWXJRSWhBS2gvV0JvTXNSZWN1ZjUwWHgzNCsvbDc5UFhNTE5rRwpwZnh3THlPbkFScWMKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==, signerName: example.com/s, usages: [client auth] }
EOF
check "apply" kubectl apply -f "$TMP/more.yaml"
check "apply again changes nothing" pipe "! kubectl apply -f $TMP/more.yaml | grep -v unchanged"
check "scale a StatefulSet" kubectl scale statefulset s --replicas=2
check_is "it is scaled" 0/2 pipe "kubectl get statefulset s --no-headers | awk '{ print \$2 }'"
check "approve a certificate request" kubectl certificate approve csr
check_is "it is approved" Approved kubectl get csr csr -o 'jsonpath={.status.conditions[0].type}'
check_is "an autoscaler in its older version" 60 kubectl get \
    horizontalpodautoscalers.v1.autoscaling d -o 'jsonpath={.spec.targetCPUUtilizationPercentage}'
for kind in jobs cronjobs roles rolebindings ingresses resourcequotas priorityclasses statefulsets persistentvolumes hpa; do
    check "get $kind -o wide" kubectl get "$kind" -o wide
    check "describe $kind" kubectl describe "$kind"
done
e2e_finish
