output "vpc_id" {
  description = "ID of the VPC, known after the first apply."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "IDs of the private subnets by Availability Zone, once they reach the endpoints."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }

  depends_on = [
    aws_route_table_association.private,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.s3,
  ]
}

output "training_security_group_id" {
  description = "ID of the security group for training jobs, once it has its rules."
  value       = aws_security_group.training.id

  depends_on = [
    aws_vpc_security_group_egress_rule.endpoints,
    aws_vpc_security_group_egress_rule.s3,
    aws_vpc_security_group_egress_rule.training_peers,
    aws_vpc_security_group_ingress_rule.endpoints,
    aws_vpc_security_group_ingress_rule.training_peers,
  ]
}

output "serving_security_group_id" {
  description = "ID of the security group for SageMaker endpoints, once it has its rules."
  value       = aws_security_group.serving.id

  depends_on = [
    aws_vpc_security_group_egress_rule.endpoints,
    aws_vpc_security_group_egress_rule.s3,
    aws_vpc_security_group_ingress_rule.endpoints,
  ]
}

output "subnet_cidrs" {
  description = "Address ranges of the private subnets, by Availability Zone."
  value       = local.cidrs
}
