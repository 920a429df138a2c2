// Resources that a cluster does not know by itself, against the definitions of those who made them: definitions.mjs RESOURCES.json
import { readFileSync } from "node:fs";
import * as gateway from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";

const definitions = { "keda.sh/v1alpha1": keda, "gateway.networking.k8s.io/v1": gateway };
const resources = JSON.parse(readFileSync(process.argv[2], "utf8"));
if (resources.length === 0) throw new Error("no such resources were built");
for (const resource of resources) {
  try {
    new definitions[resource.apiVersion][resource.kind](resource).validate();
  } catch (error) {
    console.error(`definitions: ${resource.kind} ${resource.metadata.name}: ${error.message}`);
    process.exitCode = 1;
  }
}
if (!process.exitCode) console.log(`deploy/check: ${resources.length} resources are as KEDA and the gateways define them`);
