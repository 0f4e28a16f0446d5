-- One row a campaign, with the agency it belongs to.
select a.slug, a.id as agency_id, c.client_id, c.id as campaign_id, c.name as campaign
from campaigns as c
inner join agencies as a on a.id = c.agency_id
