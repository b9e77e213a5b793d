-- Whether anybody has saved a workflow.
select 1 from workflow limit 1;
